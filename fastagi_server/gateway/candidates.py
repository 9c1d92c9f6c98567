"""The ICE candidates of one browser, and how long its description waits for one of use.

Asterisk has no trickle: what it is to know of a browser must be in the description. The first
candidate that it can use is enough, because it learns all other addresses from connectivity checks.
"""

import asyncio
import contextlib
from collections.abc import Callable

from fastagi_server.signaling.errors import InvalidSdpError
from fastagi_server.signaling.sdp import has_usable_candidate, prepare_offer, usable_candidate

WAIT_SECONDS = 0.5
"""How long a description waits. Chromium has its first candidate after 45 to 98 ms."""

MAX_LINES = 32
"""As many as are written into one medium."""


class Candidates:
    """What is known of one browser's addresses; `wait_seconds` is a description's patience."""

    def __init__(self, wait_seconds: float = WAIT_SECONDS) -> None:
        self._wait_seconds = wait_seconds
        self._lines: list[str] = []
        self._held: tuple[str, str, Callable[[str], None]] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def add(self, line: str) -> None:
        """The browser has found an address; one that Asterisk cannot use is passed over."""
        if len(self._lines) < MAX_LINES and usable_candidate(line):
            self._lines.append(line)
            self.release()

    def hold(self, sdp: str, send: Callable[[str], None]) -> None:
        """`send` a description, prepared, as soon as there is a candidate or it has waited enough.

        Raises InvalidSdpError at once.
        """
        prepared = prepare_offer(sdp, self._lines)
        self.close()
        if self._lines or has_usable_candidate(sdp):
            send(prepared)
            return
        self._held = sdp, prepared, send
        self._timer = asyncio.get_running_loop().call_later(self._wait_seconds, self.release)

    def release(self) -> None:
        """Send what waits now, as when the browser says that no candidate will come."""
        held = self._held
        self.close()
        if held is not None:
            sdp, prepared, send = held
            # Where candidates would make it too long it goes without them.
            with contextlib.suppress(InvalidSdpError):
                prepared = prepare_offer(sdp, self._lines)
            send(prepared)

    def close(self) -> None:
        """Send nothing any more that waits."""
        self._held = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
