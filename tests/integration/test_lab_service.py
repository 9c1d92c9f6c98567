"""The lab's service: the real process, started, asked, killed, started again and stopped."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastagi_server.testing.fake_asterisk import FakeAsterisk
from lab.errors import CommandError, StartError
from lab.loopback import ask
from lab.service import Service


def address_of(service: Service) -> tuple[str, int]:
    """Where the service listens."""
    host, _, port = service.agi.removeprefix("agi://").rpartition(":")
    return host.strip("[]"), int(port)


async def register(service: Service) -> dict[str, str]:
    """Register a call through AGI; the variables that come of it."""
    asterisk = FakeAsterisk("register", unique_id="17.4")
    await asterisk.run(*address_of(service))
    return asterisk.variables


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Run one service for this module."""
    with Service.start() as running:
        yield running


async def test_it_serves_agi_and_the_embedded_api(service: Service) -> None:
    """A call registered by AGI is there for REST, with its log."""
    variables = await register(service)
    call_id = variables["SGE_CALL_ID"]
    assert service.call(call_id)["status"] == "initiating"
    assert [call["id"] for call in service.calls()] == [call_id]
    assert [event["kind"] for event in service.events(call_id)] == ["adopted"]


def test_a_refusal_of_the_api_is_told(service: Service) -> None:
    """An unknown call is an error in the API's own words."""
    with pytest.raises(CommandError, match=r"GET /api/v1/voip/calls/none: 404 .*call_not_found"):
        service.call("none")


def test_its_commands_have_its_settings(service: Service) -> None:
    """`fastagi-server` is run with the same environment and state."""
    assert service.command("outbox", "stats").splitlines()[0] == "pending 0"
    with pytest.raises(CommandError, match="No such command"):
        service.command("nonsense")


def test_its_log_is_waited_for(service: Service) -> None:
    """A line is found by its event and fields; one that does not come is an error."""
    line = service.wait_for_log("listening")
    assert line["level"] == "info"
    with pytest.raises(CommandError, match=r"never was not logged in 0 s"):
        service.wait_for_log("never", seconds=0.1)


def test_it_is_killed_and_started_again_in_its_place() -> None:
    """The successor has the addresses and the records of the one that was killed."""
    with Service.start() as service:
        agi, api = service.agi, service.api
        call_id = asyncio.run(register(service))["SGE_CALL_ID"]
        service.kill()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address_of(service), 5)
        with pytest.raises(CommandError, match="ended without logging"):
            service.wait_for_log("never")
        service.start_again()
        assert (service.agi, service.api) == (agi, api)
        assert service.call(call_id)["metadata"]["asterisk_call_id"] == "17.4"
    assert not service.folder.exists()
    service.stop()


def test_one_that_stands_still_is_stopped_all_the_same() -> None:
    """A suspended process does not keep `stop` waiting until it is killed."""
    with Service.start() as service:
        service.suspend()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address_of(service), 5)


def test_one_that_cannot_start_says_why(tmp_path: Path) -> None:
    """The end of its log is in the error, and its folder is gone."""
    with pytest.raises(StartError, match="FASTAGI_LISTEN"):
        Service.start({"FASTAGI_LISTEN": "0.0.0.0"})


def test_nobody_at_a_port_is_an_error() -> None:
    """A request that finds nobody is told as such."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(CommandError, match=r"GET /x: .*refused"):
        ask(port, "GET", "/x", {})
