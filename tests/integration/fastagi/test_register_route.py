"""The routes through the whole service: fake Asterisk, FastAGI, registrar, outbox, an SGE API."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from service_stage import ServiceStage, open_stage

from fastagi_server.outbox.errors import OutboxWriteError
from fastagi_server.outbox.outbox import Outbox
from fastagi_server.routes import ROUTES
from fastagi_server.testing.fake_asterisk import FakeAsterisk
from fastagi_server.testing.sge import Behaviour


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[ServiceStage]:
    """The service, with a fake SGE API that it speaks to."""
    async with open_stage(tmp_path) as stage:
        yield stage


async def test_register(stage: ServiceStage) -> None:
    """The call is made known with what Asterisk tells, and the dialplan gets both ids."""
    asterisk = FakeAsterisk(
        "register?participant=SIP%2F1001&type=video&linkedid=17.3&system=pbx7&dialled=1001",
        unique_id="17.4",
        caller_number="1002",
        caller_name="Alice",
        channel="PJSIP/1002-00000001",
    )
    await stage.run(asterisk)
    (request,) = stage.posts
    assert request.target == "/api/v1/voip/calls"
    assert request.headers["idempotency-key"] == "agi-pbx7-17.4"
    assert request.headers["x-api-key"] == "key"
    assert request.json() == {
        "participants": ["SIP/1001"],
        "call_type": "video",
        "metadata": {
            "asterisk_call_id": "17.4",
            "caller_id": "1002",
            "caller_name": "Alice",
            "asterisk_linked_id": "17.3",
            "asterisk_context": "sky-genesis-voip",
            "asterisk_dialled_number": "1001",
            "asterisk_system": "pbx7",
            "asterisk_caller_channel": "PJSIP/1002-00000001",
        },
    }
    (call_id,) = stage.sge.calls
    assert asterisk.status == "SUCCESS"
    assert asterisk.variables == {
        "SGE_STATUS": "REGISTERED",
        "SGE_ERROR": "",
        "SGE_ERROR_CODE": "",
        "SGE_CALL_ID": call_id,
        "SGE_CHANNEL_ID": "17.4",
    }


async def test_hang_up_between_the_variables(stage: ServiceStage) -> None:
    """Asterisk that leaves in the middle of the answer has no SGE_STATUS without the rest."""
    asterisk = FakeAsterisk(
        "register",
        variables={"AGIEXITONHANGUP": "yes"},
        hang_up_before='SET VARIABLE "SGE_CHANNEL_ID"',
    )
    await stage.run(asterisk)
    assert asterisk.status == "HANGUP"
    assert "SGE_STATUS" not in asterisk.variables
    assert asterisk.variables["SGE_CALL_ID"] in stage.sge.calls


@pytest.mark.parametrize(
    ("script", "arguments"),
    [("", ()), ("register", ()), ("register", ("SIP/1001",)), ("register?type=AUDIO", ())],
)
async def test_register_by_default(
    stage: ServiceStage, script: str, arguments: tuple[str, ...]
) -> None:
    """Without parameters it is the dialled extension, audio, and the system of the settings."""
    asterisk = FakeAsterisk(script, arguments=arguments, unique_id="17.4", extension="1001")
    await stage.run(asterisk)
    (request,) = stage.posts
    assert request.headers["idempotency-key"] == "agi-pbx-17.4"
    assert (request.json()["participants"], request.json()["call_type"]) == (["SIP/1001"], "audio")
    assert asterisk.variables["SGE_STATUS"] == "REGISTERED"


async def test_register_twice_makes_one_call(stage: ServiceStage) -> None:
    """A dialplan that asks again gets the same call."""
    asterisk = FakeAsterisk("register")
    await stage.run(asterisk)
    first = asterisk.variables["SGE_CALL_ID"]
    await stage.run(asterisk)
    assert asterisk.variables["SGE_CALL_ID"] == first
    assert len(stage.sge.calls) == 1


async def test_a_whole_call(stage: ServiceStage) -> None:
    """Registered, answered on the callee's channel, ended in the hang-up handler."""
    caller = FakeAsterisk("register", unique_id="17.4")
    await stage.run(caller)
    call_id = caller.variables["SGE_CALL_ID"]
    callee = FakeAsterisk(f"accept?call={call_id}&uniqueid=17.4&system=pbx", unique_id="17.5")
    await stage.run(callee)
    assert callee.variables["SGE_STATUS"] == "REGISTERED"
    assert stage.sge.calls[call_id]["status"] == "connected"
    caller.channel.variables |= {
        "DIALSTATUS": "ANSWER",
        "ANSWEREDTIME_MS": "61000",
        "DIALEDTIME_MS": "66000",
        "RINGTIME_MS": "1000",
    }
    caller.channel.hang_up(16)
    await stage.run(caller, "end")
    call = stage.sge.calls[call_id]
    assert call["status"] == "ended"
    assert (call["hangup_cause"], call["dial_status"]) == (16, "ANSWER")
    assert (call["ring_ms"], call["answered_ms"]) == (4000, 61000)
    assert caller.variables["SGE_STATUS"] == "REGISTERED"
    assert caller.status == "SUCCESS"


async def test_end_reads_in_one_round_trip(stage: ServiceStage) -> None:
    """The dead channel is asked once."""
    asterisk = FakeAsterisk("end", dead=True)
    await stage.run(asterisk)
    assert len([c for c in asterisk.commands if c.startswith("GET")]) == 1


async def test_end_of_a_call_nobody_registered(stage: ServiceStage) -> None:
    """A call that SGE never heard of is registered and ended, so that its record is whole."""
    asterisk = FakeAsterisk(
        "end?dialled=1001",
        unique_id="17.4",
        linked_id="17.3",
        dead=True,
        variables={"DIALSTATUS": "BUSY", "HANGUPCAUSE": "17"},
    )
    await stage.run(asterisk)
    (call,) = stage.sge.calls.values()
    assert call["status"] == "ended"
    assert call["participants"] == ["SIP/1001"]
    assert call["metadata"]["asterisk_linked_id"] == "17.3"
    assert call["dial_status"] == "BUSY"


async def test_end_twice(stage: ServiceStage) -> None:
    """The second end is no error and changes nothing."""
    asterisk = FakeAsterisk("register")
    await stage.run(asterisk)
    for _ in range(2):
        await stage.run(asterisk, "end")
        assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
    assert len(stage.sge.calls) == 1


@pytest.mark.parametrize("value", ["", "many", "-1", "9" * 40, "\u0663"])
async def test_end_with_numbers_that_are_none(stage: ServiceStage, value: str) -> None:
    """A cause or a time that cannot be read is left out."""
    asterisk = FakeAsterisk("end", dead=True, variables={"HANGUPCAUSE": value})
    await stage.run(asterisk)
    (call,) = stage.sge.calls.values()
    assert "hangup_cause" not in call
    assert asterisk.variables["SGE_STATUS"] == "REGISTERED"


async def test_accept_of_an_ended_call(stage: ServiceStage) -> None:
    """An answer that comes after the end is refused, with a code for it."""
    asterisk = FakeAsterisk("register", unique_id="17.4")
    await stage.run(asterisk)
    await stage.run(asterisk, "end")
    await stage.run(asterisk, f"accept?call={asterisk.variables['SGE_CALL_ID']}&uniqueid=17.4")
    assert asterisk.variables["SGE_STATUS"] == "REFUSED"
    assert asterisk.variables["SGE_ERROR_CODE"] == "call_state"


@pytest.mark.parametrize("script", ["accept", "accept?call=c1", "status", "accept?uniqueid=1"])
async def test_missing_parameters(stage: ServiceStage, script: str) -> None:
    """What a route cannot do without is asked for by a code."""
    asterisk = FakeAsterisk(script)
    await stage.run(asterisk)
    assert asterisk.variables["SGE_ERROR_CODE"] == "bad_argument"
    assert stage.posts == []


async def test_status(stage: ServiceStage) -> None:
    """The dialplan may ask how a call stands, in SGE's words."""
    asterisk = FakeAsterisk("register")
    await stage.run(asterisk)
    call_id = asterisk.variables["SGE_CALL_ID"]
    words: list[str] = []
    for step in ("", f"accept?call={call_id}&uniqueid={asterisk.channel.unique_id}", "end"):
        if step:
            await stage.run(asterisk, step)
        await stage.run(asterisk, f"status?call={call_id}")
        words.append(asterisk.variables["SGE_CALL_STATUS"])
        assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
    assert words == ["initiating", "connected", "ended"]


async def test_status_of_an_unknown_call(stage: ServiceStage) -> None:
    """A call that nobody knows is refused as such."""
    asterisk = FakeAsterisk("status?call=nobody")
    await stage.run(asterisk)
    assert asterisk.variables == {
        "SGE_CALL_STATUS": "unknown",
        "SGE_STATUS": "REFUSED",
        "SGE_ERROR": "Unknown call",
        "SGE_ERROR_CODE": "call_unknown",
    }


async def test_status_while_sge_is_down(stage: ServiceStage) -> None:
    """When SGE cannot be asked, that is said."""
    stage.sge.behaviour = Behaviour.UNAVAILABLE
    asterisk = FakeAsterisk("status?call=c1")
    await stage.run(asterisk)
    assert asterisk.variables["SGE_CALL_STATUS"] == "unavailable"
    assert asterisk.variables["SGE_STATUS"] == "FAILED"


async def test_status_of_a_queued_call(stage: ServiceStage) -> None:
    """A provisional id is known as long as it waits."""
    stage.sge.behaviour = Behaviour.UNAVAILABLE
    asterisk = FakeAsterisk("register")
    await stage.run(asterisk)
    await stage.run(asterisk, f"status?call={asterisk.variables['SGE_CALL_ID']}")
    assert asterisk.variables["SGE_CALL_STATUS"] == "queued"
    assert asterisk.variables["SGE_STATUS"] == "QUEUED"


async def test_health(stage: ServiceStage) -> None:
    """Healthy, then with an API that has failed so often that it is left alone."""
    asterisk = FakeAsterisk("health")
    await stage.run(asterisk)
    assert asterisk.variables == {
        "SGE_HEALTH": "ok",
        "SGE_HEALTH_REASON": "",
        "SGE_STATUS": "REGISTERED",
        "SGE_ERROR": "",
        "SGE_ERROR_CODE": "",
    }
    stage.sge.behaviour = Behaviour.ERROR
    failing = FakeAsterisk("register")
    while failing.variables.get("SGE_ERROR_CODE") != "api_breaker_open":
        failing.channel.unique_id = f"18.{len(stage.posts)}"
        await stage.run(failing)
    await stage.run(asterisk)
    assert asterisk.variables["SGE_HEALTH"] == "degraded"
    assert asterisk.variables["SGE_HEALTH_REASON"] == "SGE API unavailable"
    assert asterisk.variables["SGE_STATUS"] == "QUEUED"


async def test_health_with_dead_letters(stage: ServiceStage) -> None:
    """Registrations succeed, and yet somebody has to look at the outbox."""
    stage.sge.behave(Behaviour.UNAVAILABLE)
    await stage.run(FakeAsterisk("register"))
    (entry,) = (await stage.service.outbox.backlog(1)).due
    await stage.service.outbox.died(entry, "request_refused")
    asterisk = FakeAsterisk("health")
    await stage.run(asterisk)
    assert asterisk.variables["SGE_HEALTH"] == "degraded"
    assert asterisk.variables["SGE_HEALTH_REASON"] == "dead letters in the outbox"
    assert asterisk.variables["SGE_STATUS"] == "REGISTERED"


async def test_health_without_an_outbox(
    stage: ServiceStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outbox that cannot be read could not take a registration either."""

    async def fail(_outbox: object) -> None:
        raise OutboxWriteError("the disk is full")

    monkeypatch.setattr(Outbox, "statistics", fail)
    asterisk = FakeAsterisk("health")
    await stage.run(asterisk)
    assert asterisk.variables["SGE_HEALTH_REASON"] == "outbox unusable"
    assert asterisk.variables["SGE_STATUS"] == "FAILED"


async def test_hangup_while_sge_is_asked(stage: ServiceStage) -> None:
    """A caller who hangs up meanwhile: the registration is in the outbox when the session ends."""
    stage.sge.behaviour = Behaviour.HANG
    asterisk = FakeAsterisk("register", unique_id="17.4")
    async with asterisk.session(*stage.address):
        await stage.sge.wait_for_requests(stage.warm_requests + 1)
        asterisk.channel.hang_up()
    assert asterisk.variables["SGE_STATUS"] == "QUEUED"
    assert asterisk.variables["SGE_ERROR_CODE"] == "interrupted"
    assert await stage.waiting() == [("register", "agi-pbx-17.4")]


async def test_exit_on_hangup_and_the_end_that_finds_the_call(stage: ServiceStage) -> None:
    """With AGIEXITONHANGUP no variable is set; `end` finds the call by its key all the same."""
    stage.sge.behaviour = Behaviour.HANG
    asterisk = FakeAsterisk("register", unique_id="17.4", variables={"AGIEXITONHANGUP": "yes"})
    async with asterisk.session(*stage.address):
        await stage.sge.wait_for_requests(stage.warm_requests + 1)
        asterisk.channel.hang_up()
    assert asterisk.variables == {}
    assert await stage.waiting() == [("register", "agi-pbx-17.4")]
    stage.sge.behaviour = Behaviour.OBEY
    asterisk.channel.variables["AGIEXITONHANGUP"] = "no"
    await stage.run(asterisk, "end?dialled=1001")
    assert asterisk.variables["SGE_STATUS"] == "QUEUED"
    assert asterisk.variables["SGE_ERROR_CODE"] == "behind_queued"
    async with stage.relaying():
        await stage.emptied()
    (call,) = stage.sge.calls.values()
    assert call["status"] == "ended"
    assert call["metadata"]["asterisk_call_id"] == "17.4"


async def test_lost_answer_makes_no_second_call(stage: ServiceStage) -> None:
    """An answer lost on the way: the call is queued or repeated, and exists once in the end."""
    stage.sge.behave(*[Behaviour.LOSE_ANSWER] * 3)
    asterisk = FakeAsterisk("register", unique_id="17.4")
    await stage.run(asterisk)
    assert asterisk.variables["SGE_STATUS"] in {"REGISTERED", "QUEUED"}
    await stage.run(asterisk, "end")
    async with stage.relaying():
        await stage.emptied()
    (call,) = stage.sge.calls.values()
    assert call["status"] == "ended"


async def test_queued_call_is_delivered_in_order(stage: ServiceStage) -> None:
    """Registered, answered and ended while SGE was down: all of it is told later, in order."""
    stage.sge.behaviour = Behaviour.UNAVAILABLE
    asterisk = FakeAsterisk("register", unique_id="17.4")
    await stage.run(asterisk)
    call_id = asterisk.variables["SGE_CALL_ID"]
    await stage.run(asterisk, f"accept?call={call_id}&uniqueid=17.4")
    await stage.run(asterisk, "end")
    assert asterisk.variables["SGE_STATUS"] == "QUEUED"
    assert [kind for kind, _ in await stage.waiting()] == ["register", "accept", "end"]
    stage.sge.behaviour = Behaviour.OBEY
    async with stage.relaying():
        await stage.emptied()
    (call,) = stage.sge.calls.values()
    assert call["status"] == "ended"
    assert call["answered_at"] is not None


async def test_calls_at_the_same_time(stage: ServiceStage) -> None:
    """Forty callers at once each get their own call."""
    callers = [FakeAsterisk("register", unique_id=f"17.{n}") for n in range(40)]
    await asyncio.gather(*(stage.run(caller) for caller in callers))
    ids = {caller.variables["SGE_CALL_ID"] for caller in callers}
    assert ids == set(stage.sge.calls)
    assert len(ids) == 40
    assert {caller.variables["SGE_CHANNEL_ID"] for caller in callers} == {
        f"17.{n}" for n in range(40)
    }


async def test_embedded_api(tmp_path: Path) -> None:
    """Without a remote address the same routes speak to the API in the same process."""
    async with open_stage(tmp_path, embedded=True) as stage:
        asterisk = FakeAsterisk("register", unique_id="17.4")
        await stage.run(asterisk)
        assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
        assert asterisk.variables["SGE_CHANNEL_ID"] == "17.4"
        call = f"call={asterisk.variables['SGE_CALL_ID']}"
        await stage.run(asterisk, f"accept?{call}&uniqueid=17.4")
        assert asterisk.variables["SGE_STATUS"] == "REGISTERED"
        await stage.run(asterisk, f"status?{call}")
        assert asterisk.variables["SGE_CALL_STATUS"] == "connected"
        await stage.run(asterisk, "end")
        await stage.run(asterisk, f"status?{call}")
        assert asterisk.variables["SGE_CALL_STATUS"] == "ended"


async def test_policy_of_the_settings(tmp_path: Path) -> None:
    """FASTAGI_ON_ERROR makes AGISTATUS=FAILURE of a refusal, and leaves QUEUED alone."""
    async with open_stage(tmp_path, fastagi_on_error={"register": "failure"}) as stage:
        stage.sge.behave(Behaviour.INVALID, Behaviour.ERROR)
        refused = FakeAsterisk("register", unique_id="17.1")
        await stage.run(refused)
        assert (refused.status, refused.variables["SGE_STATUS"]) == ("FAILURE", "REFUSED")
        queued = FakeAsterisk("register", unique_id="17.2")
        await stage.run(queued)
        assert queued.status == "SUCCESS"


def test_every_route_is_described() -> None:
    """What `fastagi-server routes` prints is there for each route."""
    assert [route.path for route in ROUTES] == ["register", "accept", "end", "status", "health"]
    assert all(route.description for route in ROUTES)
