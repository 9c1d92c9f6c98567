"""The endpoint sge-gateway of the shipped pjsip.conf on a real Asterisk: who may use it."""

import socket

import pytest
from gateway_caller import GatewayCaller

from lab.asterisk import Asterisk
from lab.processes import wait_until

pytestmark = pytest.mark.asterisk

SESSION = "0f8e2c1a-1111-4222-8333-444455556666"
LED = "sky-genesis-voip,browser"


def signed(asterisk: Asterisk, *more: str) -> tuple[str, ...]:
    """Return the header that makes a caller the gateway, and others."""
    return (f"X-SGE-Gateway: {asterisk.passwords['gateway']}", *more)


def test_the_gateway_reaches_the_dialplan(asterisk: Asterisk) -> None:
    """Who knows the secret calls, as the user that it names, and is offered media with ICE."""
    headers = signed(asterisk, 'P-Asserted-Identity: "Alice Liddell" <sip:alice@example.org>')
    with GatewayCaller(asterisk, "600", headers) as caller:
        status, answer = caller.invite()
        assert status == 200
        (channel,) = asterisk.control.channels()
        assert channel["name"].startswith("PJSIP/sge-gateway-")
        assert channel["caller"] == {"name": "Alice Liddell", "number": "alice"}
        assert channel["dialplan"]["context"] == "sky-genesis-browser"
        for line in ("a=ice-ufrag:", "a=fingerprint:SHA-256 ", "a=rtcp-mux", "a=sendrecv"):
            assert f"\r\n{line}" in answer
        assert "opus/48000/2" in answer
        assert caller.bye() == 200
    assert asterisk.wait_idle()


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("alice", ()),
        ("alice", ("X-SGE-Gateway: wrong",)),
        ("alice", ("X-SGE-Gateway:",)),
        ("sge-gateway", ()),
        ("sky-genesis-trunk", ()),
    ],
)
def test_nobody_else_is_the_gateway(
    asterisk: Asterisk, name: str, headers: tuple[str, ...]
) -> None:
    """A wrong secret or none gets no further than 401, whatever name stands in From."""
    with GatewayCaller(asterisk, "600", headers, name=name) as caller:
        assert caller.invite()[0] == 401
    assert asterisk.control.channels() == []


@pytest.mark.parametrize("number", ["1001", "5", "alice.liddell-2", "*43#", "9123"])
def test_calls_are_the_service_s(asterisk: Asterisk, number: str) -> None:
    """Numbers, users and rooms are handed to the service; while it is away they fail with 503."""
    with GatewayCaller(asterisk, number, signed(asterisk, f"X-SGE-Session: {SESSION}")) as caller:
        assert caller.invite()[0] == 503
    assert asterisk.wait_idle()
    wanted = "sky-genesis-conference,123" if number == "9123" else f"{LED},{SESSION}"
    assert wait_until(lambda: f'"{wanted}")' in asterisk.log(), 10)


@pytest.mark.parametrize("number", ["1001&PJSIP", "10%2001", "1%0D%0A2"])
def test_what_is_no_number_is_unknown(asterisk: Asterisk, number: str) -> None:
    """A number that holds anything else does not reach the service: 404."""
    with GatewayCaller(asterisk, number, signed(asterisk)) as caller:
        assert caller.invite()[0] == 404
    assert asterisk.wait_idle()


def test_a_session_cannot_be_more_than_one_argument(asterisk: Asterisk) -> None:
    """What would be read as another argument of the application is taken out of X-SGE-Session."""
    headers = signed(asterisk, "X-SGE-Session: 1,2)${SHELL(id)}")
    with GatewayCaller(asterisk, "1001", headers) as caller:
        assert caller.invite()[0] == 503
    assert asterisk.wait_idle()
    assert wait_until(lambda: f'"{LED},12SHELLid")' in asterisk.log(), 10)


def test_calls_to_a_browser_reach_the_gateway(asterisk: Asterisk) -> None:
    """A call to PJSIP/<user>@sge-gateway comes over TCP, names the user and offers media."""
    with socket.create_server(("127.0.0.1", asterisk.ports.gateway)) as gateway:
        gateway.settimeout(10)
        asterisk.control.originate(
            "PJSIP/alice.liddell@sge-gateway",
            context="lab",
            extension="wait",
            caller_id='"User 1001" <1001>',
        )
        connection, _ = gateway.accept()
        with connection:
            connection.settimeout(10)
            request = ""
            while "a=fingerprint:" not in request:
                request += connection.recv(65536).decode()
    uri = f"sip:alice.liddell@127.0.0.1:{asterisk.ports.gateway};transport=tcp"
    assert request.startswith(f"INVITE {uri} SIP/2.0\r\n")
    assert '\r\nP-Asserted-Identity: "User 1001" <sip:1001@' in request
    assert "\r\na=ice-ufrag:" in request


def test_calls_to_browsers_fail_at_once_without_a_gateway(asterisk: Asterisk) -> None:
    """Nobody who calls a browser user waits for a gateway that does not listen."""
    asterisk.control.originate("PJSIP/alice@sge-gateway", context="lab", extension="wait")
    assert asterisk.wait_idle(2)
