"""agi-bin/sge-voip-integration.py, run by a real Asterisk."""

import asyncio

import pytest
from scripted_agi import ScriptedAgi, Session, declining, dying, setting

from lab.asterisk import Asterisk
from lab.processes import wait_until

pytestmark = pytest.mark.asterisk

REGISTERED = setting(SGE_CALL_ID="4f9619ff", SGE_CHANNEL_ID="17.4", SGE_STATUS="REGISTERED")


async def run_script(asterisk: Asterisk, extension: str, *names: str) -> list[str]:
    """Let a channel run the script to its end; return variables of the channel."""
    originate = asterisk.control.originate
    channel = originate("Local/wait@lab", context="test-script", extension=extension)
    read = asterisk.control.variable
    came = await asyncio.to_thread(wait_until, lambda: read(channel, "AFTER") != "", 10)
    assert came, asterisk.log()[-3000:]
    return [await asyncio.to_thread(read, channel, name) for name in names]


async def test_the_script_registers_a_call(asterisk: Asterisk) -> None:
    """AGI(sge-voip-integration.py) asks the server's route `register` and sets its variables."""
    async with ScriptedAgi(register=REGISTERED) as server:
        asterisk.set_global("SGE_AGI", f"127.0.0.1:{server.port}")
        read = await run_script(
            asterisk, "plain", "AFTER", "SGE_STATUS", "SGE_CALL_ID", "SGE_CHANNEL_ID"
        )
        session = await server.request("register")
    assert read == ["SUCCESS", "REGISTERED", "4f9619ff", "17.4"]
    assert session.environment["agi_network"] == "yes"
    assert session.environment["agi_request"] == "sge-voip-integration.py"
    assert session.environment["agi_extension"] == "plain"


async def test_the_script_hands_on_route_and_arguments(asterisk: Asterisk) -> None:
    """Its own two arguments choose route and server; the others become the first of the route."""
    async with ScriptedAgi(register=REGISTERED) as server:
        asterisk.set_global("SGE_AGI", f"agi://127.0.0.1:{server.port}")
        read = await run_script(asterisk, "arguments", "AFTER", "SGE_STATUS")
        session = await server.request("register")
    assert read == ["SUCCESS", "REGISTERED"]
    assert session.parameters == {"participant": "SIP/1002"}
    assert session.environment["agi_arg_1"] == "one"
    assert session.environment["agi_arg_2"] == "two"
    assert "agi_arg_3" not in session.environment


async def test_without_a_server_the_script_sets_the_variables(asterisk: Asterisk) -> None:
    """A server out of reach is a failed registration, told in the same variables."""
    read = await run_script(
        asterisk, "nobody", "AFTER", "SGE_STATUS", "SGE_ERROR", "SGE_ERROR_CODE"
    )
    assert read == ["FAILURE", "FAILED", "Call service unreachable", "service_unreachable"]


async def test_a_server_that_declines_is_a_failure(asterisk: Asterisk) -> None:
    """`failure` from the server is AGISTATUS=FAILURE for the script as well."""
    async with ScriptedAgi(register=declining) as server:
        asterisk.set_global("SGE_AGI", f"127.0.0.1:{server.port}")
        read = await run_script(asterisk, "plain", "AFTER", "SGE_STATUS")
    assert read == ["FAILURE", ""]


async def test_a_server_that_dies_ends_the_script(asterisk: Asterisk) -> None:
    """A server that closes without a word leaves SGE_STATUS empty, as over FastAGI."""
    async with ScriptedAgi(register=dying) as server:
        asterisk.set_global("SGE_AGI", f"127.0.0.1:{server.port}")
        read = await run_script(asterisk, "plain", "AFTER", "SGE_STATUS")
    assert read == ["SUCCESS", ""]


async def test_the_server_learns_that_the_caller_hung_up(asterisk: Asterisk) -> None:
    """Asterisk's SIGHUP reaches the server as HANGUP, and dead-safe commands still work."""

    async def waiting(session: Session) -> None:
        await session.receive_line()
        session.read["name"] = await session.command("GET VARIABLE CHANNEL(name)")

    async with ScriptedAgi(register=waiting) as server:
        asterisk.set_global("SGE_AGI", f"127.0.0.1:{server.port}")
        channel = asterisk.control.originate(
            "Local/wait@lab", context="test-script", extension="plain"
        )
        await server.arrival("register")
        await asyncio.to_thread(asterisk.control.hang_up, channel)
        session = await server.request("register")
    assert session.lines[-2:][0] == "HANGUP"
    assert session.read["name"] == f"200 result=1 ({session.environment['agi_channel']})"
