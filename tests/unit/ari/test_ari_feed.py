"""One event socket's life: kept events, reconciliation, order, loss."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest
from ari_samples import CHANNEL, event
from websockets.exceptions import ConnectionClosedError

from fastagi_server.ari.errors import AriTooSlowError, AriUnreachableError
from fastagi_server.ari.events import ApplicationReplaced, ChannelDtmfReceived, Event
from fastagi_server.ari.feed import EventFeed
from fastagi_server.supervise import StandAsideError
from fastagi_server.telemetry.measures import Measures


def key(digit: str) -> str:
    """A key pressed, as the simplest of numbered events."""
    return event("ChannelDtmfReceived", channel=CHANNEL, digit=digit, duration_ms=1)


class Socket:
    """Messages as a test gives them, until it says that the socket ends."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[str | Exception | None] = asyncio.Queue()

    def say(self, *messages: str) -> None:
        """Let Asterisk send these."""
        for message in messages:
            self._queue.put_nowait(message)

    def end(self, error: Exception | None = None) -> None:
        """Let the socket end, with an error or without."""
        self._queue.put_nowait(error)

    async def __aiter__(self) -> AsyncGenerator[str]:
        """What was said."""
        while (message := await self._queue.get()) is not None:
            if isinstance(message, Exception):
                raise message
            yield message

    async def read(self) -> None:
        """Wait until all that was said has been read."""
        while not self._queue.empty():  # noqa: ASYNC110 - a queue has no event for it
            await asyncio.sleep(0)
        await asyncio.sleep(0)


class Owner:
    """Takes what a feed hands on."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.may_connect = asyncio.Event()
        self.may_connect.set()
        self.fails: Exception | None = None

    def on_event(self, event: Event) -> None:
        """Note a key, or the type of something else; `!` is a mistake of ours."""
        if not isinstance(event, ChannelDtmfReceived):
            self.told.append(type(event).__name__)
            return
        if event.digit == "!":
            raise ValueError(event.digit)
        self.told.append(event.digit)

    async def on_connected(self) -> None:
        """Reconcile for as long as the test wants."""
        self.told.append("connected")
        await self.may_connect.wait()
        if self.fails is not None:
            raise self.fails
        self.told.append("reconciled")

    def on_lost(self, reason: str) -> None:
        """Note why."""
        self.told.append(f"lost: {reason}")

    def up(self) -> None:
        """Note that events flow."""
        self.told.append("up")


class Stage:
    """A feed being served."""

    def __init__(self, *, kept_events: int = 100, prepare_seconds: float = 30.0) -> None:
        self.owner = Owner()
        self.socket = Socket()
        self.measures = Measures()
        self.feed = EventFeed(
            "test",
            on_event=self.owner.on_event,
            on_connected=self.owner.on_connected,
            on_lost=self.owner.on_lost,
            measures=self.measures,
            kept_events=kept_events,
            prepare_seconds=prepare_seconds,
        )

    def start(self) -> asyncio.Task[None]:
        """Serve the socket."""
        return asyncio.create_task(self.feed.serve(self.socket, self.owner.up))


async def fails_with(task: Awaitable[None], kind: type[Exception]) -> str:
    """The words of the error that serving ends with."""
    with pytest.raises(kind) as caught:
        async with asyncio.timeout(5):
            await task
    return str(caught.value)


async def test_events_follow_the_reconciliation() -> None:
    """What came while it ran is kept, and handed on after it in order."""
    stage = Stage()
    stage.owner.may_connect.clear()
    stage.socket.say(key("1"), key("2"))
    task = stage.start()
    await stage.socket.read()
    assert stage.owner.told == ["connected"]
    stage.owner.may_connect.set()
    stage.socket.say(key("3"), key("4"))
    stage.socket.end()
    await fails_with(task, AriUnreachableError)
    told = stage.owner.told
    assert [word for word in told if word in "1234"] == ["1", "2", "3", "4"]
    assert told.index("reconciled") < told.index("1")


async def test_the_link_is_up_once_events_flow() -> None:
    """Not before the kept ones are handed on."""
    stage = Stage()
    stage.owner.may_connect.clear()
    stage.socket.say(key("1"))
    task = stage.start()
    await stage.socket.read()
    stage.owner.may_connect.set()
    while "up" not in stage.owner.told:  # noqa: ASYNC110 - `up` is a plain call
        await asyncio.sleep(0)
    assert stage.owner.told == ["connected", "reconciled", "1", "up"]
    stage.socket.end()
    await fails_with(task, AriUnreachableError)


async def test_a_lost_socket_is_told_with_its_reason() -> None:
    """The one of the WebSocket, or that Asterisk closed it."""
    stage = Stage()
    task = stage.start()
    stage.socket.end(ConnectionClosedError(None, None))
    words = await fails_with(task, AriUnreachableError)
    assert words == "the event socket is lost: no close frame received or sent"
    assert stage.owner.told[-1] == f"lost: {words}"


async def test_a_socket_lost_in_the_reconciliation_ends_it() -> None:
    """Nothing is reconciled against an Asterisk that is gone, and it is told as lost."""
    stage = Stage()
    stage.owner.may_connect.clear()
    task = stage.start()
    stage.socket.say(key("1"))
    stage.socket.end()
    words = await fails_with(task, AriUnreachableError)
    assert words == "the event socket was closed by Asterisk"
    assert stage.owner.told == ["connected", f"lost: {words}"]


async def test_a_failed_reconciliation_ends_the_socket() -> None:
    """Its error is the link's, and the next socket tries again."""
    stage = Stage()
    stage.owner.fails = AriTooSlowError("no answer")
    assert await fails_with(stage.start(), AriTooSlowError) == "no answer"
    assert stage.owner.told == ["connected", "lost: no answer"]


async def test_a_reconciliation_without_end_is_given_up() -> None:
    """The world it looks at would be another one by then."""
    stage = Stage(prepare_seconds=0.01)
    stage.owner.may_connect.clear()
    words = await fails_with(stage.start(), AriTooSlowError)
    assert words == "the reconciliation took too long"


async def test_too_many_kept_events_end_the_socket() -> None:
    """Rather than a hole in the order: the next connect reconciles all of it."""
    stage = Stage(kept_events=2)
    stage.owner.may_connect.clear()
    stage.socket.say(key("1"), key("2"), key("3"))
    words = await fails_with(stage.start(), AriUnreachableError)
    assert words == "too many events came before the reconciliation ended"
    assert stage.measures.drops.values == {("ari_event_kept",): 1.0}


async def test_what_cannot_be_read_is_counted_and_skipped() -> None:
    """One message that is none of Asterisk's does not end the socket."""
    stage = Stage()
    task = stage.start()
    stage.socket.say("{", key("1"), '{"type": 3}', key("2"))
    stage.socket.end()
    await fails_with(task, AriUnreachableError)
    assert [word for word in stage.owner.told if word in "12"] == ["1", "2"]
    assert stage.measures.drops.values == {("ari_event_unreadable",): 2.0}


async def test_a_mistake_of_the_owner_does_not_end_the_socket() -> None:
    """It is logged, and the next event is handed on."""
    stage = Stage()
    task = stage.start()
    stage.socket.say(key("!"), key("2"))
    stage.socket.end()
    await fails_with(task, AriUnreachableError)
    assert "2" in stage.owner.told


async def test_a_replaced_application_makes_the_link_stand_aside() -> None:
    """Somebody else serves it: a fight over it would never end."""
    stage = Stage()
    task = stage.start()
    stage.socket.say(event("ApplicationReplaced"))
    with pytest.raises(StandAsideError) as caught:
        await task
    assert (caught.value.state, caught.value.seconds) == ("replaced", 120.0)
    assert str(caught.value) == "another socket took the application sky-genesis-voip"
    assert ApplicationReplaced.__name__ in stage.owner.told


async def test_a_stopped_feed_tells_that_it_stopped() -> None:
    """Also when it is the program that ends."""
    stage = Stage()
    task = stage.start()
    await stage.socket.read()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.owner.told[-1] == "lost: stopped"


async def test_a_mistake_when_told_of_the_loss_changes_nothing() -> None:
    """The error of the socket is what the supervisor hears."""
    stage = Stage()

    def fail(_reason: str) -> None:
        raise ValueError

    _replace(stage.feed, fail)
    task = stage.start()
    stage.socket.end()
    await fails_with(task, AriUnreachableError)


def _replace(feed: EventFeed, on_lost: Callable[[str], None]) -> None:
    feed._on_lost = on_lost  # pyright: ignore[reportPrivateUsage]  # a fault from inside


async def test_events_are_counted_by_type_with_their_lag() -> None:
    """Types that are unknown are counted as one, so that nobody can fill the table."""
    stage = Stage()
    task = stage.start()
    stage.socket.say(key("1"), key("2"), event("Odd"), event("Odder"), '{"type": "Timeless"}')
    stage.socket.end()
    await fails_with(task, AriUnreachableError)
    assert stage.measures.ari_events.values == {
        ("ChannelDtmfReceived",): 2.0,
        ("unknown",): 3.0,
    }
    assert sum(stage.measures.ari_event_lag_seconds.values["test",].counts) == 4
