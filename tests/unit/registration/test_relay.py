"""The relay: everything is delivered, in order for each call, or becomes a dead letter."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from fake_calls_api import FakeCallsApi

from fastagi_server.outbox.ledger import Statistics
from fastagi_server.outbox.outbox import Outbox, open_outbox
from fastagi_server.registration import codes
from fastagi_server.registration.models import Acceptance, Ending, Registration, Statement
from fastagi_server.registration.ports import OutboxError, RefusedError, UnavailableError
from fastagi_server.registration.relay import Relay, back_off_seconds
from fastagi_server.telemetry.measures import Measures

REGISTRATION = Registration(
    "pbx", "17.4", "PJSIP/1002-1", "17.4", "ctx", "1001", "1002", "Alice", ("SIP/1001",), "audio"
)


def at_once(_low: float, _high: float) -> float:
    """A back-off without waiting."""
    return 0.0


@pytest.fixture
def api() -> FakeCallsApi:
    """An API in memory."""
    return FakeCallsApi()


@pytest.fixture
def measures() -> Measures:
    """Fresh measures."""
    return Measures()


@pytest.fixture
async def outbox(tmp_path: Path, measures: Measures) -> AsyncGenerator[Outbox]:
    """A real outbox."""
    async with open_outbox(tmp_path / "outbox.db", measures=measures) as opened:
        yield opened


@asynccontextmanager
async def running(relay: Relay) -> AsyncGenerator[None]:
    """The relay at work."""
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def empty(outbox: Outbox) -> None:
    """Look until nothing is pending; the test's own timeout is the limit."""
    await seen(outbox, lambda statistics: statistics.pending == 0)


async def seen(outbox: Outbox, condition: Callable[[Statistics], bool]) -> None:
    """Look until `condition` holds; each look gives the relay its turn."""
    while not condition(await outbox.statistics()):
        pass


def scribble(_: Statement) -> str:
    """No document of a statement."""
    return "scribble"


async def test_call_is_delivered_in_order(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """Registration, acceptance and end arrive in that order, with the id the first one brought."""
    await outbox.append(REGISTRATION)
    await outbox.append(Acceptance(REGISTRATION.key, "queued-x"))
    await outbox.append(Ending(REGISTRATION, "queued-x"))
    async with running(Relay(api, outbox, outbox, measures=measures, uniform=at_once)):
        await empty(outbox)
    assert api.said == ["register 17.4", "accept call-17.4", "end call-17.4"]
    assert measures.outbox_entries.values[("end", "delivered")] == 1.0


async def test_failures_are_repeated_before_what_follows(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """A registration that fails holds back the end of its call until it has come through."""
    api.failures = deque([UnavailableError(codes.API_ERROR), ZeroDivisionError(), None])
    await outbox.append(REGISTRATION)
    await outbox.append(Ending(REGISTRATION))
    async with running(Relay(api, outbox, outbox, measures=measures, uniform=at_once)):
        await empty(outbox)
    assert api.said == ["register 17.4", "end call-17.4"]
    assert measures.outbox_entries.values[("register", "postponed")] == 2.0


async def test_append_wakes_the_relay(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """What is appended while the relay sleeps is delivered without waiting for its next look."""
    relay = Relay(api, outbox, outbox, measures=measures, poll_seconds=3600.0)
    async with running(relay):
        await seen(outbox, lambda _: ("pending",) in measures.outbox_depth.values)
        await outbox.append(REGISTRATION)
        await empty(outbox)
    assert api.said == ["register 17.4"]


async def test_refused_entry_becomes_a_dead_letter(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """A definite no ends the attempts, and the call's next statement has its turn."""
    api.failures = deque([RefusedError(codes.REQUEST_REFUSED)])
    await outbox.append(REGISTRATION)
    await outbox.append(Ending(REGISTRATION))
    async with running(Relay(api, outbox, outbox, measures=measures, uniform=at_once)):
        await empty(outbox)
    (letter,) = await outbox.dead_letters()
    assert (letter.kind, letter.code, letter.attempts) == ("register", "request_refused", 1)
    assert api.said == ["register 17.4", "end call-17.4"]


@pytest.mark.parametrize("call_id", ["call-17.4", "queued-x"])
async def test_acceptance_of_an_ended_call_is_forgotten(
    api: FakeCallsApi, outbox: Outbox, measures: Measures, call_id: str
) -> None:
    """A caller who hangs up in the moment of the answer leaves nothing for an operator to do."""
    api.failures = deque([None, None, RefusedError(codes.CALL_STATE)])
    await outbox.append(REGISTRATION)
    await outbox.append(Ending(REGISTRATION))
    await outbox.append(Acceptance(REGISTRATION.key, call_id))
    async with running(Relay(api, outbox, outbox, measures=measures, uniform=at_once)):
        await empty(outbox)
    assert api.said == ["register 17.4", "end call-17.4"]
    assert await outbox.dead_letters() == []
    assert measures.outbox_entries.values[("accept", "overtaken")] == 1.0


async def test_end_that_is_refused_for_its_state_is_a_dead_letter(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """Only the acceptance may come too late."""
    api.failures = deque([None, RefusedError(codes.CALL_STATE)])
    await outbox.append(REGISTRATION)
    await outbox.append(Ending(REGISTRATION))
    async with running(Relay(api, outbox, outbox, measures=measures, uniform=at_once)):
        await empty(outbox)
    (letter,) = await outbox.dead_letters()
    assert (letter.kind, letter.code) == ("end", "call_state")


async def test_too_many_attempts_make_a_dead_letter(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """Attempts are limited."""
    api.failures = deque([UnavailableError(codes.API_BAD_ANSWER)] * 3)
    await outbox.append(REGISTRATION)
    relay = Relay(api, outbox, outbox, measures=measures, uniform=at_once, max_attempts=3)
    async with running(relay):
        await empty(outbox)
    (letter,) = await outbox.dead_letters()
    assert (letter.code, letter.attempts) == ("undeliverable", 3)
    assert not api.failures


async def test_too_old_an_entry_gets_one_attempt(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """Age limits the attempts too, but something that waited through a long stop is tried."""
    api.failures = deque([UnavailableError(codes.API_ERROR)])
    await outbox.append(REGISTRATION)
    relay = Relay(api, outbox, outbox, measures=measures, uniform=at_once, max_age_seconds=0.0)
    async with running(relay):
        await empty(outbox)
    (letter,) = await outbox.dead_letters()
    assert letter.code == "undeliverable"


async def test_unreadable_entry_becomes_a_dead_letter(
    api: FakeCallsApi, outbox: Outbox, measures: Measures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An entry that cannot be read does not stand in the way of the others."""
    with monkeypatch.context() as patched:
        patched.setattr("fastagi_server.outbox.outbox.to_document", scribble)
        await outbox.append(REGISTRATION)
    await outbox.append(Ending(REGISTRATION))
    async with running(Relay(api, outbox, outbox, measures=measures, uniform=at_once)):
        await empty(outbox)
    (letter,) = await outbox.dead_letters()
    assert (letter.code, letter.document) == ("unreadable", "scribble")
    assert api.said == ["register 17.4", "end call-17.4"]


async def test_open_breaker_costs_no_attempt(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """Requests that were never sent do not count, and delivery goes on after the pause."""
    kept_away = UnavailableError(codes.API_BREAKER_OPEN, retry_after_seconds=0.001, attempted=False)
    api.failures = deque([kept_away] * 5)
    await outbox.append(REGISTRATION)
    relay = Relay(api, outbox, outbox, measures=measures, max_attempts=1, poll_seconds=3600.0)
    async with running(relay):
        await empty(outbox)
    assert api.said == ["register 17.4"]
    assert await outbox.dead_letters() == []


async def test_failed_attempt_is_repeated_when_it_is_due(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """The relay wakes for the end of a back-off, not only to look around."""
    api.failures = deque([UnavailableError(codes.API_ERROR)])
    await outbox.append(REGISTRATION)
    relay = Relay(
        api,
        outbox,
        outbox,
        measures=measures,
        poll_seconds=3600.0,
        uniform=lambda _low, _high: 0.02,
    )
    async with running(relay):
        await empty(outbox)
    assert api.said == ["register 17.4"]


async def test_one_delivery_alone_after_a_pause(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """After the API has asked for a pause, one call goes ahead before the others follow."""
    for number in range(10):
        await outbox.append(replace(REGISTRATION, unique_id=f"17.{number}"))
    api.failures = deque(
        [UnavailableError(codes.API_OVERLOADED, retry_after_seconds=0.001)] * 4 + [None]
    )
    api.hold = asyncio.Event()
    relay = Relay(
        api, outbox, outbox, measures=measures, concurrency=4, uniform=at_once, poll_seconds=0.001
    )
    async with running(relay):
        await api.until(lambda: api.concurrent == 4)
        api.most_concurrent = 0
        api.hold.set()
        await api.until(lambda: not api.concurrent)
        api.hold.clear()
        await api.until(lambda: api.concurrent > 0)
        assert api.concurrent == 1
        api.hold.set()
        await empty(outbox)
    assert len(api.said) == 10


async def test_concurrency_is_limited(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """A long queue does not become a flood for an API that has just come back."""
    for number in range(20):
        await outbox.append(replace(REGISTRATION, unique_id=f"17.{number}"))
    api.hold = asyncio.Event()
    relay = Relay(api, outbox, outbox, measures=measures, concurrency=3)
    async with running(relay):
        await api.until(lambda: api.concurrent == 3)
        api.hold.set()
        await empty(outbox)
    assert api.most_concurrent == 3
    assert sorted(api.said) == sorted(f"register 17.{number}" for number in range(20))


async def test_cancelled_deliveries_are_delivered_by_the_next(
    api: FakeCallsApi, outbox: Outbox, measures: Measures
) -> None:
    """Stopping in the middle of a delivery loses nothing."""
    await outbox.append(REGISTRATION)
    api.hold = asyncio.Event()
    async with running(Relay(api, outbox, outbox, measures=measures)):
        await api.until(lambda: api.concurrent == 1)
    assert (await outbox.statistics()).pending == 1
    api.hold.set()
    async with running(Relay(api, outbox, outbox, measures=measures)):
        await empty(outbox)
    assert api.said == ["register 17.4"]


async def test_relay_survives_a_failing_outbox(
    api: FakeCallsApi, outbox: Outbox, measures: Measures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors of the disk are waited out; what was delivered meanwhile is delivered again."""
    monkeypatch.setattr("fastagi_server.registration.relay.OUTBOX_PAUSE_SECONDS", 0.001)
    whole = outbox.delivered
    troubles = deque([OutboxError("no disk")])

    async def delivered(*arguments: object) -> None:
        if troubles:
            raise troubles.popleft()
        await whole(*arguments)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - passed on

    monkeypatch.setattr(outbox, "delivered", delivered)
    whole_backlog = outbox.backlog
    unreadable = deque([OutboxError("no disk")])

    async def backlog(limit: int) -> object:
        if unreadable:
            raise unreadable.popleft()
        return await whole_backlog(limit)

    monkeypatch.setattr(outbox, "backlog", backlog)
    await outbox.append(REGISTRATION)
    relay = Relay(api, outbox, outbox, measures=measures, poll_seconds=0.001)
    async with running(relay):
        await empty(outbox)
    assert api.said == ["register 17.4", "register 17.4"]


async def test_depth_is_measured(api: FakeCallsApi, outbox: Outbox, measures: Measures) -> None:
    """The gauges show what waits and what died."""
    api.failures = deque([RefusedError(codes.FORBIDDEN)])
    await outbox.append(REGISTRATION)
    async with running(Relay(api, outbox, outbox, measures=measures, poll_seconds=0.001)):
        await empty(outbox)
        await seen(outbox, lambda _: measures.outbox_depth.values.get(("dead",)) == 1.0)
    assert measures.outbox_depth.values[("pending",)] == 0.0
    assert measures.outbox_oldest_seconds.values == {(): 0.0}


def test_back_off_doubles_up_to_a_minute() -> None:
    """The bound of the jitter grows from half a second to sixty."""
    assert [back_off_seconds(n, lambda _, high: high) for n in (0, 1, 6, 7, 500)] == [
        0.5,
        1.0,
        32.0,
        60.0,
        60.0,
    ]
