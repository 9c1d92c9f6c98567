"""One wake-up for whatever may happen to a call: a key, a hang-up, bytes from the server."""

import asyncio
from collections.abc import Callable


class Signal:
    """Let any number of tasks wait until a condition holds; `notify` after each change."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Say that something changed, so that waiting conditions are looked at again."""
        self._changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until `condition` holds; `False` when `seconds` passed first (`None`: no limit)."""
        if seconds is not None and seconds <= 0:
            return condition()
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return condition()
        return True
