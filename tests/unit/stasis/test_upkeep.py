"""Calls that nobody will end are ended by time, or because their channel is gone."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fastagi_server.ari.errors import AriUnreachableError
from fastagi_server.calls.journal import CallJournal
from fastagi_server.calls.legs import Note
from fastagi_server.calls.models import Call, CallType
from fastagi_server.calls.orders import CallOrder
from fastagi_server.calls.transitions import Trigger
from fastagi_server.stasis import upkeep
from fastagi_server.stasis.upkeep import CallUpkeep, IdleLimits
from fastagi_server.store.opening import open_store
from fastagi_server.telemetry.measures import Measures

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIMITS = IdleLimits(ringing_seconds=300, call_seconds=3600)
USERS = CallOrder(("bob",), CallType.AUDIO, {})
CHANNEL = CallOrder(("SIP/1001",), CallType.AUDIO, {"asterisk_call_id": "17.4"})


class Clock:
    """The time, as a test sets it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        """What it says."""
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)


class Pbx:
    """An Asterisk that leads some calls and misses the channels of others, by the calls' ids."""

    def __init__(self) -> None:
        self.led: set[str] = set()
        self.gone: set[str] = set()

    async def unseen(self, calls: Sequence[Call]) -> tuple[set[str], set[str]]:
        """What it sees."""
        return self.led, self.gone & {call.id for call in calls}


@pytest.fixture
def clock() -> Clock:
    """A clock that says noon."""
    return Clock()


@pytest.fixture
async def journal(tmp_path: Path, clock: Clock) -> AsyncGenerator[CallJournal]:
    """A journal on an empty store."""
    async with open_store(f"sqlite:///{tmp_path / 'calls.sqlite3'}") as store:
        yield CallJournal(records=store.calls, measures=Measures(), now=clock)


async def status(journal: CallJournal, call: Call) -> str:
    """How a call stands now."""
    found = await journal.get(call.id)
    assert found is not None
    return found.status


async def test_an_unanswered_call_is_idle_soon(journal: CallJournal, clock: Clock) -> None:
    """It is ended when its time is over, and not before."""
    upkeep = CallUpkeep(journal, LIMITS, now=clock)
    call = await journal.adopt(USERS)
    clock.pass_seconds(299)
    await upkeep.look()
    assert await status(journal, call) == "initiating"
    clock.pass_seconds(1)
    await upkeep.look()
    assert await status(journal, call) == "ended"


async def test_an_answered_call_may_last_longer(journal: CallJournal, clock: Clock) -> None:
    """It has a limit of its own."""
    upkeep = CallUpkeep(journal, LIMITS, now=clock)
    call = await journal.adopt(USERS)
    await journal.note(call.id, Note(Trigger.ACCEPT, clock.now))
    clock.pass_seconds(3599)
    await upkeep.look()
    assert await status(journal, call) == "connected"
    clock.pass_seconds(1)
    await upkeep.look()
    assert await status(journal, call) == "ended"


async def test_no_limit(journal: CallJournal, clock: Clock) -> None:
    """Zero lets calls be."""
    upkeep = CallUpkeep(journal, IdleLimits(0, 0), now=clock)
    call = await journal.adopt(USERS)
    clock.pass_seconds(1_000_000)
    await upkeep.look()
    assert await status(journal, call) == "initiating"


async def test_a_call_that_is_led_is_never_idle(journal: CallJournal, clock: Clock) -> None:
    """Its channels say when it is over."""
    pbx = Pbx()
    upkeep = CallUpkeep(journal, LIMITS, pbx, now=clock)
    call = await journal.adopt(USERS)
    pbx.led = {call.id}
    clock.pass_seconds(1_000_000)
    await upkeep.look()
    assert await status(journal, call) == "initiating"


async def test_a_channel_is_missed_twice(journal: CallJournal, clock: Clock) -> None:
    """Once may be the moment before its end is reported; twice is a call that was lost."""
    pbx = Pbx()
    upkeep = CallUpkeep(journal, LIMITS, pbx, now=clock)
    call = await journal.adopt(CHANNEL)
    pbx.gone = {call.id}
    clock.pass_seconds(1_000_000)
    await upkeep.look()
    assert await status(journal, call) == "initiating"
    await upkeep.look()
    assert await status(journal, call) == "ended"


async def test_a_channel_that_comes_back_was_not_lost(journal: CallJournal, clock: Clock) -> None:
    """Two misses count only one after the other."""
    pbx = Pbx()
    upkeep = CallUpkeep(journal, LIMITS, pbx, now=clock)
    call = await journal.adopt(CHANNEL)
    for gone in ({call.id}, set[str](), {call.id}):
        pbx.gone = gone
        await upkeep.look()
    assert await status(journal, call) == "initiating"


async def test_an_asterisk_that_is_away(
    journal: CallJournal, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said without a trace, and the next look does its work."""
    call = await journal.adopt(CHANNEL)
    pbx = Pbx()
    pbx.gone.add(call.id)
    looks = asyncio.Queue[int]()

    class Away(Pbx):
        async def unseen(self, calls: Sequence[Call]) -> tuple[set[str], set[str]]:
            looks.put_nowait(len(calls))
            if looks.qsize() == 1:
                raise AriUnreachableError("connection refused")
            return await pbx.unseen(calls)

    monkeypatch.setattr(upkeep, "LOOK_SECONDS", 0.0)
    with capture_logs() as lines:
        running = asyncio.create_task(CallUpkeep(journal, LIMITS, Away(), now=clock).run())
        try:
            async with asyncio.timeout(5):
                while await status(journal, call) != "ended":  # noqa: ASYNC110 - the store tells nobody
                    await asyncio.sleep(0)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    assert lines[0] == {
        "event": "calls_not_looked_after",
        "log_level": "warning",
        "reason": "connection refused",
    }
    assert not [line for line in lines if line["log_level"] == "error"]
