"""The pace at which changes are told."""

import asyncio

from fastagi_server.presence.announcing import Announcer
from fastagi_server.presence.models import Presence, Status
from tests.unit.presence.presence_doubles import NOON

SOON = 0.0
NEVER = 3600.0


class Told:
    """Keeps what is told, to `listeners`, and who waits for it."""

    def __init__(self, listeners: int = 1) -> None:
        self.told: list[tuple[str, str, str | None]] = []
        self._listeners = listeners
        self._more = asyncio.Event()

    def __call__(self, presence: Presence) -> int:
        """Keep it."""
        self.told.append((presence.user, presence.status.value, presence.message))
        self._more.set()
        return self._listeners

    async def count(self, number: int) -> None:
        """Wait until so many were told."""
        async with asyncio.timeout(10):
            while len(self.told) < number:
                self._more.clear()
                await self._more.wait()


def seen(status: Status, message: str | None = None, user: str = "alice") -> Presence:
    """Somebody's state."""
    return Presence(user, status, NOON, message)


async def ended(announcer: Announcer) -> None:
    """Wait until no user's pause is left."""
    async with asyncio.timeout(10):
        while len(announcer):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)


async def test_the_first_change_is_told_at_once() -> None:
    """A user's first change is told before anything else happens, each user's for himself."""
    told = Told()
    announcer = Announcer(told, change_seconds=NEVER)
    announcer.hear(seen(Status.ONLINE))
    announcer.hear(seen(Status.AWAY, user="bob"))
    assert told.told == [("alice", "online", None), ("bob", "away", None)]
    announcer.close()


async def test_changes_within_the_pause_are_kept() -> None:
    """However many changes a user makes, no second one is told before the pause is over."""
    told = Told()
    announcer = Announcer(told, change_seconds=NEVER)
    for number in range(20):
        announcer.hear(seen(Status.AWAY, f"turn {number}"))
    await asyncio.sleep(0)
    assert told.told == [("alice", "away", "turn 0")]
    assert len(announcer) == 1
    announcer.close()


async def test_the_last_change_is_told_after_the_pause() -> None:
    """At the end of the pause the user's last change is told, and none in between."""
    told = Told()
    announcer = Announcer(told, change_seconds=SOON)
    for number in range(20):
        announcer.hear(seen(Status.AWAY, f"turn {number}"))
    await told.count(2)
    await ended(announcer)
    assert told.told == [("alice", "away", "turn 0"), ("alice", "away", "turn 19")]


async def test_what_is_as_it_was_is_not_told_again() -> None:
    """Who is seen at the end of the pause as he was told is not told of, and the pause ends."""
    told = Told()
    announcer = Announcer(told, change_seconds=SOON)
    announcer.hear(seen(Status.ONLINE))
    announcer.hear(seen(Status.AWAY))
    announcer.hear(seen(Status.ONLINE))
    await ended(announcer)
    assert told.told == [("alice", "online", None)]


async def test_a_change_after_the_pause_is_told_at_once() -> None:
    """When the pause has ended without a change the next one does not wait."""
    told = Told()
    announcer = Announcer(told, change_seconds=SOON)
    announcer.hear(seen(Status.ONLINE))
    await ended(announcer)
    announcer.hear(seen(Status.AWAY))
    assert told.told == [("alice", "online", None), ("alice", "away", None)]
    await ended(announcer)


async def test_many_listeners_make_a_longer_pause() -> None:
    """A change that many were told of keeps its user quiet for longer, whatever the pause is."""
    told = Told(listeners=7200)
    announcer = Announcer(told, change_seconds=SOON, told_per_second=2.0)
    announcer.hear(seen(Status.ONLINE))
    announcer.hear(seen(Status.AWAY))
    for _ in range(5):
        await asyncio.sleep(0)
    assert told.told == [("alice", "online", None)]
    assert len(announcer) == 1
    announcer.close()


async def test_a_closed_announcer_tells_nothing() -> None:
    """With the service nothing is told any more, neither what was kept nor what is new."""
    told = Told()
    announcer = Announcer(told, change_seconds=SOON)
    announcer.hear(seen(Status.ONLINE))
    announcer.hear(seen(Status.AWAY))
    announcer.close()
    announcer.hear(seen(Status.BUSY))
    for _ in range(3):
        await asyncio.sleep(0)
    assert told.told == [("alice", "online", None)]
    assert len(announcer) == 0
