"""The registrar: what the dialplan is told, and that nothing said is lost."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_calls_api import FakeCallsApi

from fastagi_server.outbox.outbox import Outbox, open_outbox
from fastagi_server.registration import codes
from fastagi_server.registration.models import (
    Acceptance,
    Ending,
    Outcome,
    RegisteredCall,
    Registration,
    Status,
    provisional_call_id,
)
from fastagi_server.registration.ports import (
    OutboxError,
    RefusedError,
    Standing,
    UnavailableError,
)
from fastagi_server.registration.registrar import Registrar
from fastagi_server.telemetry.measures import Measures

REGISTRATION = Registration(
    "pbx", "17.4", "PJSIP/1002-1", "17.4", "ctx", "1001", "1002", "Alice", ("SIP/1001",), "audio"
)
PROVISIONAL = provisional_call_id(REGISTRATION.key)


@dataclass
class Desk:
    """A registrar with an API in memory and a real outbox."""

    api: FakeCallsApi
    outbox: Outbox
    registrar: Registrar
    measures: Measures

    async def waiting(self) -> list[str]:
        """The kinds of what waits, in order."""
        return [letter.kind for letter in await self.outbox.pending_letters()]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk]:
    """A registrar at work."""
    api, measures = FakeCallsApi(), Measures()
    async with open_outbox(tmp_path / "outbox.db", measures=measures, max_entries=3) as outbox:
        yield Desk(api, outbox, Registrar(api, outbox, measures=measures), measures)


async def test_registered_call_brings_its_ids(desk: Desk) -> None:
    """When the API answers, the dialplan gets the ids of the call and of the channel."""
    outcome = await desk.registrar.register(REGISTRATION)
    assert outcome == Outcome(Status.REGISTERED, "call-17.4", "17.4", "", "")
    assert desk.measures.registrations.values == {("REGISTERED", ""): 1.0}


async def test_missing_channel_id_is_the_unique_id(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer without metadata registers the call all the same."""

    async def register(_: Registration, *, deadline: float) -> RegisteredCall:
        del deadline
        return RegisteredCall("c9", None)

    monkeypatch.setattr(desk.api, "register", register)
    outcome = await desk.registrar.register(REGISTRATION)
    assert outcome == Outcome(Status.REGISTERED, "c9", "17.4")


async def test_definite_no_is_refused_and_not_queued(desk: Desk) -> None:
    """A refusal is told to the dialplan in fixed words, and asking again is not planned."""
    desk.api.failures = deque([RefusedError(codes.REQUEST_REFUSED, "HTTP 422")])
    outcome = await desk.registrar.register(REGISTRATION)
    assert outcome == Outcome(Status.REFUSED, "", "", "request_refused", "Call refused")
    assert await desk.waiting() == []


async def test_unavailable_api_queues_the_registration(desk: Desk) -> None:
    """The call goes on with a provisional id, the reason in the code and no error."""
    desk.api.failures = deque([UnavailableError(codes.API_TIMEOUT)])
    outcome = await desk.registrar.register(REGISTRATION)
    assert outcome == Outcome(Status.QUEUED, PROVISIONAL, "17.4", "api_timeout", "")
    assert await desk.waiting() == ["register"]
    assert desk.measures.registrations.values == {("QUEUED", "api_timeout"): 1.0}


async def test_full_outbox_fails(desk: Desk) -> None:
    """When neither the API nor the outbox takes it, the dialplan hears FAILED."""
    desk.api.failures = deque([UnavailableError(codes.API_ERROR)] * 4)
    for unique_id in ("1.1", "1.2", "1.3"):
        registration = Registration("pbx", unique_id, "", "", "", "", "", "", (), "audio")
        assert (await desk.registrar.register(registration)).status == Status.QUEUED
    outcome = await desk.registrar.register(REGISTRATION)
    assert outcome == Outcome(Status.FAILED, "", "", "outbox_full", "API call failed")
    assert desk.measures.drops.values == {("outbox_append",): 1.0}


async def test_error_of_ours_queues_too(desk: Desk) -> None:
    """A bug on the way to the API loses nothing and is named as what it is."""
    desk.api.failures = deque([ZeroDivisionError()])
    outcome = await desk.registrar.register(REGISTRATION)
    assert (outcome.status, outcome.code) == (Status.QUEUED, "internal_error")


async def test_hang_up_hands_the_registration_to_the_outbox(desk: Desk) -> None:
    """A caller who hangs up while the API is asked leaves a durable registration behind."""
    desk.api.hold = asyncio.Event()
    task = asyncio.create_task(desk.registrar.register(REGISTRATION))
    await desk.api.until(lambda: desk.api.concurrent == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await desk.waiting() == ["register"]


async def test_deadline_is_the_sooner_of_the_two(desk: Desk) -> None:
    """The budget of a call may shorten the wait for the API but not lengthen it."""
    now = asyncio.get_running_loop().time()
    await desk.registrar.register(REGISTRATION, deadline=now + 0.5)
    await desk.registrar.register(REGISTRATION, deadline=now + 60.0)
    sooner, own = desk.api.deadlines
    assert sooner == now + 0.5
    assert now + 2.0 <= own < now + 60.0


async def test_end_of_a_known_call_goes_to_the_api(desk: Desk) -> None:
    """With a real id and nothing waiting, the end is said at once."""
    outcome = await desk.registrar.end(Ending(REGISTRATION, "c1"))
    assert outcome == Outcome(Status.REGISTERED, "c1", "")
    assert desk.api.said == ["end c1"]


async def test_end_without_an_id_registers_first(desk: Desk) -> None:
    """A call whose registration never came through is registered and ended."""
    assert (await desk.registrar.end(Ending(REGISTRATION))).call_id == "call-17.4"
    assert desk.api.said == ["register 17.4", "end call-17.4"]


async def test_end_waits_behind_a_queued_registration(desk: Desk) -> None:
    """Order is kept for a call: its end never overtakes its beginning."""
    desk.api.failures = deque([UnavailableError(codes.API_ERROR)])
    queued = await desk.registrar.register(REGISTRATION)
    outcome = await desk.registrar.end(Ending(REGISTRATION, queued.call_id))
    assert outcome == Outcome(Status.QUEUED, PROVISIONAL, "", "behind_queued", "")
    assert await desk.waiting() == ["register", "end"]
    assert desk.api.said == []


async def test_provisional_id_finds_the_delivered_call(desk: Desk) -> None:
    """After the relay has delivered a registration, its provisional id means the real call."""
    desk.api.failures = deque([UnavailableError(codes.API_ERROR)])
    queued = await desk.registrar.register(REGISTRATION)
    (entry,) = (await desk.outbox.backlog(1)).due
    await desk.outbox.delivered(entry, "c7")
    outcome = await desk.registrar.accept(Acceptance(REGISTRATION.key, queued.call_id))
    assert outcome == Outcome(Status.REGISTERED, "c7", "")
    assert desk.api.said == ["accept c7"]
    assert await desk.registrar.status(queued.call_id) == "unknown"


async def test_acceptance_of_a_call_nobody_knows_is_refused(desk: Desk) -> None:
    """An answer to a call that was never registered cannot be recorded."""
    outcome = await desk.registrar.accept(Acceptance(REGISTRATION.key, PROVISIONAL))
    assert outcome == Outcome(Status.REFUSED, "", "", "call_unknown", "Call refused")


async def test_repeated_statement_is_queued_once(desk: Desk) -> None:
    """Saying the same twice while the API is down leaves one entry and two good outcomes."""
    desk.api.failures = deque([UnavailableError(codes.API_ERROR)] * 2)
    first = await desk.registrar.register(REGISTRATION)
    assert await desk.registrar.register(REGISTRATION) == first
    assert await desk.waiting() == ["register"]
    assert desk.measures.outbox_entries.values == {
        ("register", "appended"): 1.0,
        ("register", "repeated"): 1.0,
    }


async def test_status_tells_what_is_known(desk: Desk) -> None:
    """The status is the API's word, or ours while the API does not know the call."""
    await desk.registrar.register(REGISTRATION)
    assert await desk.registrar.status("call-17.4") == "ringing"
    assert await desk.registrar.status("call-0") == "unknown"
    assert await desk.registrar.status(PROVISIONAL) == "unknown"
    desk.api.failures = deque([UnavailableError(codes.API_ERROR)])
    assert await desk.registrar.status("call-17.4") == "unavailable"
    desk.api.failures = deque([ZeroDivisionError()])
    assert await desk.registrar.status("call-17.4") == "unavailable"
    other = Registration("pbx", "17.5", "", "", "", "", "", "", (), "audio")
    await desk.outbox.append(other)
    assert await desk.registrar.status(provisional_call_id(other.key)) == "queued"


class BrokenOutbox:
    """An outbox whose disk is gone."""

    async def append(self, statement: object) -> None:
        """Fail."""
        raise OutboxError("no disk")

    async def standing(self, provisional_id: str) -> Standing:
        """Fail."""
        raise OutboxError("no disk")


async def test_broken_outbox_does_not_keep_the_api_from_being_told() -> None:
    """Without a readable outbox, ends still reach an API that works."""
    api = FakeCallsApi()
    registrar = Registrar(api, BrokenOutbox(), measures=Measures())
    assert (await registrar.end(Ending(REGISTRATION, "c1"))).status == Status.REGISTERED
    api.failures = deque([UnavailableError(codes.API_ERROR)])
    outcome = await registrar.end(Ending(REGISTRATION, "c1"))
    assert outcome == Outcome(Status.FAILED, "", "", "outbox_failed", "API call failed")
    assert await registrar.status(PROVISIONAL) == "unavailable"


def test_every_code_has_a_meaning() -> None:
    """No code reaches a dialplan that the reference page does not explain."""
    named = {
        value
        for name, value in vars(codes).items()
        if name.isupper() and isinstance(value, str) and not name.startswith("ERROR_")
    }
    assert named == set(codes.MEANINGS)
