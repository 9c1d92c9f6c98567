"""The wallboard's news: one look for all viewers, told to each as what has changed.

A viewer is not sent anything that waits for him: he asks for the news since what he has seen, and
one who was too slow for the changes that are kept gets the whole board again. So nobody's pace
costs memory, or holds up the others.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

import orjson
import structlog

from fastagi_server.api.answers import TIMES
from fastagi_server.store.errors import StoreError

INTERVAL_SECONDS = 0.5
"""Between two looks; nobody looks while there is no viewer."""

MAX_VIEWERS = 50

KEPT_CHANGES = 16
"""Eight seconds of changes, for viewers who are slow for a moment."""

LOOK_SECONDS = 10.0

KEYED = ("calls", "rooms", "endpoints", "links")
"""Lists of things with an id, of which only what has changed is told."""

State = dict[str, Any]
Look = Callable[[], Awaitable[State]]

_log = structlog.stdlib.get_logger("wallboard")


class Board:
    """What all viewers see. `look` gives the present state, with `at` in it."""

    def __init__(
        self,
        look: Look,
        *,
        interval_seconds: float = INTERVAL_SECONDS,
        max_viewers: int = MAX_VIEWERS,
    ) -> None:
        self._look = look
        self._interval_seconds = interval_seconds
        self._max_viewers = max_viewers
        self._viewers = 0
        self._state: State | None = None
        self._number = 0
        self._changes: deque[tuple[int, bytes]] = deque(maxlen=KEPT_CHANGES)
        self._news = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._asked: asyncio.Future[State] | None = None
        self.is_closed = False

    async def snapshot(self) -> State:
        """The state as it is now; those who ask at once share one look."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(self._look_once())
        return await asyncio.shield(self._asked)

    @property
    def has_room(self) -> bool:
        """Whether there may be one viewer more."""
        return not self.is_closed and self._viewers < self._max_viewers

    @contextmanager
    def viewing(self) -> Generator[None]:
        """Be a viewer, where there is room."""
        self._viewers += 1
        if self._looking is None:
            self._looking = asyncio.create_task(self._keep_looking(), name="wallboard")
        try:
            yield
        finally:
            self._viewers -= 1
            if self._viewers == 0:
                self._rest()

    def news(self, seen: int | None) -> tuple[int | None, bytes]:
        """What a viewer has to hear who has seen up to `seen`, as events; empty when nothing."""
        if self._state is None or seen == self._number:
            return seen, b""
        changes = [change for number, change in self._changes if seen is not None and number > seen]
        if seen is None or len(changes) < self._number - seen:
            return self._number, _event("board", self._number, self._state)
        return self._number, b"".join(changes)

    async def wait(self, seconds: float) -> None:
        """Return when there is news, or after these seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    def close(self) -> None:
        """Let all viewers go, and look no more."""
        self.is_closed = True
        self._wake()
        self._rest()

    def _rest(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self._state = None  # an old state looks like a true one
        self._changes.clear()

    async def _look_once(self) -> State:
        async with asyncio.timeout(LOOK_SECONDS):
            return await self._look()

    async def _keep_looking(self) -> None:
        while True:
            try:
                self._publish(await self._look_once())
            except (StoreError, TimeoutError) as error:
                _log.warning("wallboard_blind", reason=str(error) or "out of time")
            except Exception:  # noqa: BLE001 - whatever it was, the next look may do better
                _log.exception("wallboard_failed")
            await asyncio.sleep(self._interval_seconds)

    def _publish(self, state: State) -> None:
        before, self._state = self._state, state
        change = {} if before is None else difference(before, state)
        if before is not None and not change:
            return
        self._number += 1
        if change:
            self._changes.append((self._number, _event("change", self._number, change)))
        self._wake()

    def _wake(self) -> None:
        """Tell all who wait; who comes after that waits for the next news."""
        news, self._news = self._news, asyncio.Event()
        news.set()


def difference(before: State, after: State) -> State:
    """What turns one state into the other; empty when nothing but the time has changed.

    A keyed list is told as `{"set": [...], "gone": [ids]}`, everything else as a whole.
    """
    change: State = {}
    for name, value in after.items():
        if name == "at" or before[name] == value:
            continue
        if name in KEYED and value is not None and before[name] is not None:
            change[name] = _keyed_difference(before[name], value)
        else:
            change[name] = value
    return {"at": after["at"], **change} if change else {}


def _keyed_difference(before: list[State], after: list[State]) -> State:
    known = {each["id"]: each for each in before}
    present = {each["id"] for each in after}
    return {
        "set": [each for each in after if known.get(each["id"]) != each],
        "gone": [each for each in known if each not in present],
    }


def _event(kind: str, number: int, data: State) -> bytes:
    return b"event: %b\nid: %d\ndata: %b\n\n" % (
        kind.encode(),
        number,
        orjson.dumps(data, option=TIMES),
    )
