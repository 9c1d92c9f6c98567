"""Events on their way to the owner."""

import asyncio
from dataclasses import replace

import pytest

from fastagi_server.ami.errors import AmiTooSlowError
from fastagi_server.ami.events import Event, Hangup
from fastagi_server.ami.feed import BATCH_EVENTS, EventFeed, Owner
from fastagi_server.ami.snapshots import AsteriskRun
from fastagi_server.telemetry.measures import Measures

RUN = AsteriskRun("22.10.1", "", "2024-03-09 16:00:01", is_new=False)


def hangup(number: int) -> bytes:
    """The end of channel 1.`number`."""
    return f"Event: Hangup\r\nTimestamp: 1.5\r\nUniqueid: 1.{number}".encode()


class Listener:
    """Notes what it hears; `gate` holds reconciliations back, `fault` is raised at each event."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.runs: list[AsteriskRun] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault: Exception | None = None
        self.reconciled = asyncio.Event()

    def note(self, event: Event) -> None:
        """Take an event."""
        assert isinstance(event, Hangup)
        self.told.append(event.channel.unique_id)
        if self.fault is not None:
            raise self.fault

    async def connected(self, run: AsteriskRun) -> None:
        """Reconcile."""
        self.runs.append(run)
        self.told.append("connected")
        if self.told.count("connected") > 1:
            self.reconciled.set()
        await self.gate.wait()

    def owner(self) -> Owner:
        """The listener's callbacks."""
        return Owner(self.note, self.connected, self.told.append)


async def run_to_end(feed: EventFeed, ups: list[str] | None = None) -> None:
    """Run a feed that was told to end."""
    feed.end()
    await feed.run(RUN, lambda: ups.append("up") if ups is not None else None)


async def test_events_follow_the_reconciliation_in_order() -> None:
    """And the link is up between the two."""
    listener = Listener()
    feed = EventFeed("ami", listener.owner(), Measures())
    running = asyncio.create_task(feed.run(RUN, lambda: listener.told.append("up")))
    feed.receive([hangup(1), hangup(2)], 0)
    await asyncio.sleep(0)
    feed.receive([hangup(3)], 0)
    feed.end()
    await running
    assert listener.told == ["connected", "up", "1.1", "1.2", "1.3"]


async def test_events_without_room_are_dropped_counted_and_reconciled() -> None:
    """The ones that came first are handed on; then the owner looks for himself."""
    listener, measures = Listener(), Measures()
    listener.gate.clear()
    feed = EventFeed("ami", listener.owner(), measures, kept_events=3)
    running = asyncio.create_task(feed.run(RUN, lambda: None))
    await asyncio.sleep(0)
    feed.receive([hangup(1), hangup(2)], 0)
    feed.receive([hangup(3), hangup(4), hangup(5)], 0)
    feed.receive([hangup(6)], 0)
    assert measures.drops.values == {("ami_event",): 3}
    listener.gate.set()
    await listener.reconciled.wait()
    feed.receive([hangup(7)], 0)
    feed.end()
    await running
    assert listener.told == ["connected", "1.1", "1.2", "1.3", "connected", "1.7"]
    assert listener.runs == [RUN, RUN]


async def test_a_run_is_new_once() -> None:
    """Dropped events much later are no restart: calls that live since then are not void."""
    listener = Listener()
    feed = EventFeed("ami", listener.owner(), Measures(), kept_events=1)
    running = asyncio.create_task(feed.run(replace(RUN, is_new=True), lambda: None))
    await asyncio.sleep(0)
    feed.receive([hangup(1), hangup(2)], 0)
    await listener.reconciled.wait()
    feed.end()
    await running
    assert [run.is_new for run in listener.runs] == [True, False]


async def test_a_crowd_leaves_others_their_turn() -> None:
    """After every hundred."""
    listener = Listener()
    feed = EventFeed("ami", listener.owner(), Measures())
    feed.receive([hangup(number) for number in range(BATCH_EVENTS * 3)], 0)
    seen: list[int] = []

    async def bystander() -> None:
        while True:
            seen.append(len(listener.told))
            await asyncio.sleep(0)

    watching = asyncio.create_task(bystander())
    await run_to_end_after_prepare(feed)
    watching.cancel()
    assert {1, 101, 201} <= {*seen, 1}
    assert len(listener.told) == 301


async def test_what_cannot_be_read_is_counted() -> None:
    """And the next one is handed on."""
    listener, measures = Listener(), Measures()
    feed = EventFeed("ami", listener.owner(), measures)
    feed.receive([b"Event: Hangup", hangup(1)], 7)
    await run_to_end_after_prepare(feed)
    assert listener.told == ["connected", "1.1"]
    assert measures.drops.values == {("ami_event_unreadable",): 1}
    assert measures.ami_events.values == {("other",): 7, ("Hangup",): 1}


async def run_to_end_after_prepare(feed: EventFeed) -> None:
    """Run a feed that is told to end once it runs."""
    running = asyncio.create_task(feed.run(RUN, lambda: None))
    await asyncio.sleep(0)
    feed.end()
    await running


async def test_an_owner_that_raises_hears_the_next_event() -> None:
    """Every time."""
    listener = Listener()
    listener.fault = RuntimeError("a mistake")
    feed = EventFeed("ami", listener.owner(), Measures())
    feed.receive([hangup(1), hangup(2)], 0)
    await run_to_end_after_prepare(feed)
    assert listener.told == ["connected", "1.1", "1.2"]


async def test_an_owner_that_raises_at_a_loss_harms_nobody() -> None:
    """It was told."""
    told: list[str] = []

    def fail(reason: str) -> None:
        told.append(reason)
        raise RuntimeError("a mistake")

    listener = Listener()
    EventFeed("ami", Owner(listener.note, listener.connected, fail), Measures()).tell_lost("gone")
    assert told == ["gone"]


async def test_a_reconciliation_has_an_end() -> None:
    """In words, for the link's last error."""
    listener = Listener()
    listener.gate.clear()
    feed = EventFeed("ami", listener.owner(), Measures(), prepare_seconds=0.01)
    with pytest.raises(AmiTooSlowError, match="the reconciliation took too long"):
        await feed.run(RUN, lambda: None)


async def test_the_lag_is_that_of_the_oldest_of_a_batch() -> None:
    """Negative ones, of another clock, are none."""
    measures = Measures()
    feed = EventFeed("ami", Listener().owner(), measures)
    ahead = b"Event: Hangup\r\nTimestamp: 9999999999\r\nUniqueid: 1.1"
    feed.receive([ahead, hangup(1)], 0)
    await run_to_end_after_prepare(feed)
    series = measures.ami_event_lag_seconds.values[("ami",)]
    assert (sum(series.counts), series.total) == (1, 0.0)


async def test_a_feed_that_was_ended_before_it_ran_does_nothing() -> None:
    """There is nothing to prepare for."""
    listener = Listener()
    ups: list[str] = []
    await run_to_end(EventFeed("ami", listener.owner(), Measures()), ups)
    assert (listener.told, ups) == ([], [])
