"""The shipped dialplan on a real Asterisk, with a FastAGI server that does well or badly."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from scripted_agi import Behaviour, ScriptedAgi, declining, dying, hanging, reading, setting

from lab.asterisk import Asterisk
from lab.phones import Phone
from lab.processes import wait_until

pytestmark = pytest.mark.asterisk

CALL_ID = "4f9619ff-8b86-4d01-b42d-00cf4fc964ff"
REGISTERED = setting(
    SGE_CALL_ID=CALL_ID,
    SGE_CHANNEL_ID="17.4",
    SGE_ERROR="",
    SGE_ERROR_CODE="",
    SGE_STATUS="REGISTERED",
)
REFUSED = setting(SGE_STATUS="REFUSED", SGE_ERROR="Call refused", SGE_ERROR_CODE="forbidden")
FAILED = setting(SGE_STATUS="FAILED", SGE_ERROR="API call failed", SGE_ERROR_CODE="internal_error")
ENDED = reading("DIALSTATUS", "HANGUPCAUSE", "SGE_CALL_ID")
ACCEPTED = setting()


@asynccontextmanager
async def agi(
    asterisk: Asterisk, **behaviours: Behaviour | list[Behaviour]
) -> AsyncGenerator[ScriptedAgi]:
    """Run a scripted server that the dialplan asks; `accept` and `end` work unless told."""
    async with ScriptedAgi(**{"accept": ACCEPTED, "end": ENDED, **behaviours}) as server:
        address = f"agi://127.0.0.1:{server.port}"
        await asyncio.to_thread(asterisk.set_global, "SGE_AGI", address)
        yield server


def dial(asterisk: Asterisk, extension: str, context: str = "sky-genesis-voip") -> str:
    """Let a channel without a phone run an extension; return its id."""
    return asterisk.control.originate("Local/wait@lab", context=context, extension=extension)


async def variables_of(asterisk: Asterisk, extension: str, context: str, *names: str) -> list[str]:
    """Run a test extension to its wait and return variables of its channel."""
    channel = await asyncio.to_thread(dial, asterisk, extension, context)
    read = asterisk.control.variable
    came = await asyncio.to_thread(wait_until, lambda: read(channel, names[0]) != "", 10)
    assert came, asterisk.log()[-3000:]
    return [await asyncio.to_thread(read, channel, name) for name in names]


async def test_a_registered_call_rings_and_ends_well(asterisk: Asterisk) -> None:
    """A call between two phones is registered, accepted when answered, and ended by the caller."""
    async with agi(asterisk, register=REGISTERED) as server:
        callee = await asyncio.to_thread(Phone.answering, asterisk, "1001")
        caller = Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=100)
        with callee, caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        register = await server.request("register")
        accept = await server.request("accept")
        end = await server.request("end")
    unique_id = register.environment["agi_uniqueid"]
    assert caller.statuses() == [401, 100, 180, 200, 200]
    assert register.parameters == {
        "participant": "SIP/1001",
        "type": "audio",
        "dialled": "1001",
        "context": "sky-genesis-voip",
        "linkedid": unique_id,
        "system": "pbx1",
    }
    assert register.environment["agi_callerid"] == "1002"
    assert accept.parameters == {"call": CALL_ID, "uniqueid": unique_id, "system": "pbx1"}
    assert accept.environment["agi_uniqueid"] != unique_id
    assert end.environment["agi_uniqueid"] == unique_id
    assert end.parameters == {"dialled": "1001", "system": "pbx1"}
    assert end.read == {"DIALSTATUS": "ANSWER", "HANGUPCAUSE": "16", "SGE_CALL_ID": CALL_ID}
    assert [session.route for session in server.sessions] == ["register", "accept", "end"]


async def test_the_callee_hangs_up(asterisk: Asterisk) -> None:
    """A call that the called phone ends is reported as ended too."""
    async with agi(asterisk, register=REGISTERED) as server:
        callee = await asyncio.to_thread(
            lambda: Phone.answering(asterisk, "1001", hang_up_after_ms=100)
        )
        with callee, Phone.calling(asterisk, "1002", "1001") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        end = await server.request("end")
    assert end.read == {"DIALSTATUS": "ANSWER", "HANGUPCAUSE": "16", "SGE_CALL_ID": CALL_ID}
    assert len(server.requests("end")) == 1


async def test_the_callee_is_busy(asterisk: Asterisk) -> None:
    """A busy phone gives its caller 486 and the end of the call says BUSY."""
    async with agi(asterisk, register=REGISTERED) as server:
        callee = await asyncio.to_thread(Phone.busy, asterisk, "1001")
        with callee, Phone.calling(asterisk, "1002", "1001") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        end = await server.request("end")
    assert caller.statuses() == [401, 100, 486]
    assert end.read == {"DIALSTATUS": "BUSY", "HANGUPCAUSE": "17", "SGE_CALL_ID": CALL_ID}
    assert server.requests("accept") == []


async def test_nobody_answers(asterisk: Asterisk) -> None:
    """A phone that nobody picks up stops ringing after SGE_RING_SECONDS, and SGE is told."""
    asterisk.set_global("SGE_RING_SECONDS", "1")
    async with agi(asterisk, register=REGISTERED) as server:
        callee = await asyncio.to_thread(Phone.not_answering, asterisk, "1001")
        with callee, Phone.calling(asterisk, "1002", "1001") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
            assert await asyncio.to_thread(callee.wait), callee.explain()
        end = await server.request("end")
    assert caller.statuses() == [401, 100, 180, 480]
    assert end.read == {"DIALSTATUS": "NOANSWER", "HANGUPCAUSE": "19", "SGE_CALL_ID": CALL_ID}


async def test_the_caller_gives_up(asterisk: Asterisk) -> None:
    """A caller who hangs up while it rings ends the call: DIALSTATUS says CANCEL."""
    async with agi(asterisk, register=REGISTERED) as server:
        callee = await asyncio.to_thread(Phone.not_answering, asterisk, "1001")
        with callee, Phone.calling(asterisk, "1002", "1001", cancel_after_ms=50) as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
            assert await asyncio.to_thread(callee.wait), callee.explain()
        end = await server.request("end")
    assert end.read["DIALSTATUS"] == "CANCEL"
    assert end.read["SGE_CALL_ID"] == CALL_ID


async def test_an_extension_that_does_not_exist(asterisk: Asterisk) -> None:
    """A call to a number without a phone is registered, and ended as CHANUNAVAIL."""
    async with agi(asterisk, register=REGISTERED) as server:
        with Phone.calling(asterisk, "1002", "1999") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        end = await server.request("end")
    assert caller.statuses() == [401, 100, 480]
    assert end.read == {"DIALSTATUS": "CHANUNAVAIL", "HANGUPCAUSE": "20", "SGE_CALL_ID": CALL_ID}


async def test_the_caller_hangs_up_while_sge_is_asked(asterisk: Asterisk) -> None:
    """Asterisk leaves a server that is stuck, and the call's end is reported all the same."""
    async with agi(asterisk, register=hanging) as server:
        channel = dial(asterisk, "1001")
        register = await server.arrival("register")
        await asyncio.to_thread(asterisk.control.hang_up, channel)
        end = await server.request("end")
        await server.request("register")
    assert end.environment["agi_uniqueid"] == register.environment["agi_uniqueid"] == channel
    assert end.read["SGE_CALL_ID"] == ""


@pytest.mark.parametrize("fail_open", ["yes", "no"])
async def test_a_refused_call_hears_the_prompt(asterisk: Asterisk, fail_open: str) -> None:
    """A call that SGE refuses never rings: its caller hears the prompt, and no end is reported."""
    asterisk.set_global("SGE_FAIL_OPEN", fail_open)
    async with agi(asterisk, register=REFUSED) as server:
        with Phone.calling(asterisk, "1002", "1001") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        assert await asyncio.to_thread(asterisk.wait_idle)
    assert caller.statuses() == [401, 100, 200]
    assert [session.route for session in server.sessions] == ["register"]
    register = server.sessions[0].environment
    assert f"<{register['agi_channel']}> Playing 'cannot-complete-as-dialed.gsm'" in asterisk.log()


@pytest.mark.parametrize("register", [FAILED, declining], ids=["FAILED", "declined"])
async def test_a_failed_registration_lets_the_call_go_on(
    asterisk: Asterisk, register: Behaviour
) -> None:
    """With SGE_FAIL_OPEN=yes a call that cannot be registered rings and connects."""
    async with agi(asterisk, register=register) as server:
        callee = await asyncio.to_thread(Phone.answering, asterisk, "1001")
        caller = Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=100)
        with callee, caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        await server.request("end")
    assert caller.statuses() == [401, 100, 180, 200, 200]
    assert [session.route for session in server.sessions] == ["register", "end"]


@pytest.mark.parametrize("register", [FAILED, declining], ids=["FAILED", "declined"])
async def test_a_failed_registration_stops_the_call_when_told(
    asterisk: Asterisk, register: Behaviour
) -> None:
    """With SGE_FAIL_OPEN=no the caller hears the prompt instead."""
    asterisk.set_global("SGE_FAIL_OPEN", "no")
    async with agi(asterisk, register=register) as server:
        with Phone.calling(asterisk, "1002", "1001") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
    assert caller.statuses() == [401, 100, 200]
    channel = server.sessions[0].environment["agi_channel"]
    assert f"<{channel}> Playing 'cannot-complete-as-dialed.gsm'" in asterisk.log()


async def test_without_a_server_the_call_goes_on(asterisk: Asterisk) -> None:
    """With nobody at the server's address a call rings and connects unregistered."""
    asterisk.set_global("SGE_AGI", "agi://127.0.0.1:1")
    callee = await asyncio.to_thread(Phone.answering, asterisk, "1001")
    with callee, Phone.calling(asterisk, "1002", "1001", hang_up_after_ms=100) as caller:
        assert await asyncio.to_thread(caller.wait), caller.explain()
    assert caller.statuses() == [401, 100, 180, 200, 200]


async def test_without_a_server_the_variables_say_so(asterisk: Asterisk) -> None:
    """The wrapper itself sets the variables that no server could set."""
    asterisk.set_global("SGE_AGI", "agi://127.0.0.1:1")
    read = await variables_of(
        asterisk, "4711", "test-wrapper", "WRAPPER", "SGE_STATUS", "SGE_ERROR", "SGE_ERROR_CODE"
    )
    assert read == ["go", "FAILED", "Call service unreachable", "service_unreachable"]


async def test_a_server_that_dies_is_asked_again(asterisk: Asterisk) -> None:
    """When the server dies in mid-session the same question is asked once more."""
    async with agi(asterisk, register=[dying, REGISTERED]) as server:
        read = await variables_of(
            asterisk, "4711", "test-wrapper", "WRAPPER", "SGE_STATUS", "SGE_CALL_ID"
        )
    assert read == ["go", "REGISTERED", CALL_ID]
    first, second = server.requests("register")
    assert first.environment["agi_uniqueid"] == second.environment["agi_uniqueid"]
    assert first.parameters == second.parameters


async def test_a_server_that_keeps_dying_is_asked_twice(asterisk: Asterisk) -> None:
    """The second death in a row is a failure, not a loop."""
    async with agi(asterisk, register=dying) as server:
        read = await variables_of(asterisk, "4711", "test-wrapper", "WRAPPER", "SGE_STATUS")
    assert read == ["go", "FAILED"]
    assert len(server.requests("register")) == 2


async def test_a_server_that_declines_is_not_asked_again(asterisk: Asterisk) -> None:
    """`failure` is an answer: an overloaded server is not given the same work twice."""
    async with agi(asterisk, register=declining) as server:
        read = await variables_of(asterisk, "4711", "test-wrapper", "WRAPPER", "SGE_STATUS")
    assert read == ["go", "FAILED"]
    assert len(server.requests("register")) == 1


async def test_a_queued_call_goes_on(asterisk: Asterisk) -> None:
    """QUEUED is as good as REGISTERED, even when failures stop a call."""
    asterisk.set_global("SGE_FAIL_OPEN", "no")
    queued = setting(SGE_STATUS="QUEUED", SGE_CALL_ID="provisional", SGE_ERROR_CODE="api_timeout")
    async with agi(asterisk, register=queued):
        read = await variables_of(
            asterisk, "4711", "test-wrapper", "WRAPPER", "SGE_STATUS", "SGE_CALL_ID"
        )
    assert read == ["go", "QUEUED", "provisional"]


async def test_the_wrapper_finds_out_who_called_it(asterisk: Asterisk) -> None:
    """Without arguments the wrapper registers the extension and context that called it."""
    async with agi(asterisk, register=REGISTERED) as server:
        await variables_of(asterisk, "4711", "test-wrapper", "WRAPPER")
        register = await server.request("register")
    assert register.parameters["participant"] == "SIP/4711"
    assert register.parameters["dialled"] == "4711"
    assert register.parameters["context"] == "test-wrapper"


async def test_the_wrapper_takes_arguments(asterisk: Asterisk) -> None:
    """Participant, type and number may be given, whatever characters they are made of."""
    async with agi(asterisk, register=REGISTERED) as server:
        channel = dial(asterisk, "4711", "test-arguments")
        register = await server.request("register", 2)
        await asyncio.to_thread(asterisk.control.hang_up, channel)
        await server.request("end")
        assert await asyncio.to_thread(asterisk.wait_idle)
    assert register.parameters["participant"] == "PJSIP/room-7"
    assert register.parameters["type"] == "video"
    assert register.parameters["dialled"] == "+49 30&1001"
    assert len(server.requests("end")) == 1


async def test_a_second_phone_cannot_be_smuggled_in(asterisk: Asterisk) -> None:
    """1001&PJSIP/1002 rings nobody and is not registered: the caller hears the prompt."""
    async with agi(asterisk, register=REGISTERED) as server:
        with Phone.calling(asterisk, "1002", "1001&PJSIP/1002") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
    assert caller.statuses() == [401, 100, 200]
    assert server.sessions == []
    log = asterisk.log()
    assert "[1001&PJSIP/1002@sky-genesis-voip:1] GotoIf" in log
    assert "[1001&PJSIP/1002@sky-genesis-voip:2]" not in log


async def test_a_call_from_the_trunk_reaches_a_user(asterisk: Asterisk) -> None:
    """The last four digits of the number called name the user; the whole number is registered."""
    async with agi(asterisk, register=REGISTERED) as server:
        callee = await asyncio.to_thread(
            lambda: Phone.answering(asterisk, "1001", hang_up_after_ms=100)
        )
        with callee, Phone.trunk_calling(asterisk, "5551234", "49301001") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        register = await server.request("register")
        await server.request("end")
    assert caller.statuses() == [100, 180, 200]
    assert register.environment["agi_callerid"] == "5551234"
    assert register.parameters["participant"] == "SIP/1001"
    assert register.parameters["dialled"] == "49301001"
    assert register.parameters["context"] == "from-trunk"


async def test_a_refused_call_from_the_trunk_is_not_charged(asterisk: Asterisk) -> None:
    """A caller from outside hears the prompt as early media: 183, then 403, never 200."""
    async with agi(asterisk, register=REFUSED) as server:
        with Phone.trunk_calling(asterisk, "5551234", "49301001") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
    assert caller.statuses() == [100, 183, 403]
    channel = server.sessions[0].environment["agi_channel"]
    assert f"<{channel}> Playing 'cannot-complete-as-dialed.gsm'" in asterisk.log()


async def test_nobody_calls_out_through_the_trunk(asterisk: Asterisk) -> None:
    """A call from the trunk to an outside number goes to no trunk: it finds no such user."""
    async with agi(asterisk, register=REGISTERED) as server:
        with Phone.trunk_calling(asterisk, "5551234", "0012025550199") as caller:
            assert await asyncio.to_thread(caller.wait), caller.explain()
        end = await server.request("end")
    assert end.read["DIALSTATUS"] == "CHANUNAVAIL"
    assert "sky-genesis-trunk" not in asterisk.cli("dialplan show from-trunk")
