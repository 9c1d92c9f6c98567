"""Peers that break the protocol: a clear end, one line that says why, the next call unharmed."""

from typing import Literal

import pytest
from agi_stage import ENVIRONMENT, Aftermath, arrival, connected, of, plain, play, staged

from fastagi_server.agi.commands import get_variable
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Variables
from fastagi_server.testing.fake_asterisk import Answer, FakeAsterisk, Faults
from fastagi_server.testing.proxy import TcpProxy
from fastagi_server.testing.serving import serve_routes

GARBAGE = b"\x00\xff\xfe garbage \r\n\x01" * 3


async def work(channel: AgiChannel) -> Variables:
    """Read a variable and give it back."""
    return {"GOT": await channel.execute(get_variable("X")) or ""}


ROUTES = (of(work), plain())


async def told(data: bytes) -> tuple[bytes, Aftermath]:
    """What a peer that sends `data` is answered; the next call is served meanwhile."""
    async with staged(ROUTES) as (server, aftermath), connected(server) as peer:
        peer.send(data)
        answer = await peer.rest()
        asterisk = FakeAsterisk("plain")
        await asterisk.run(*server.addresses[0])
        assert asterisk.variables["PLAIN"] == "yes"
    aftermath.logs = [line for line in aftermath.logs if line.get("route") != "plain"]
    return answer, aftermath


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: pbx\r\n\r\n", "not AGI: b'GET / HTTP/1.1\\r\\nHost'"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "not AGI: b'\\x16\\x03\\x01\\x02\\x00\\x01\\x00'"),
        (b"\n\n", "not AGI: b'\\n\\n'"),
        (b"agi_network yes\n\n", "not an AGI environment line: 'agi_network yes'"),
        (b"agi_network: yes\n\n", "the environment names no agi_uniqueid"),
        (b"agi_x: " + b"x" * 1_000_000, "longer than 65536 bytes"),
        (
            b"agi_network: yes\nagi_uniqueid: 1\nagi_callerid: 2\nagi_callerid: 911\n\n",
            "agi_callerid out of place: a value held a newline",
        ),
        (
            b"agi_network: yes\nagi_callerid: 2\nagi_uniqueid: 1\n\n",
            "agi_uniqueid out of place: a value held a newline",
        ),
        (b"agi_network: yes\nagi_uniqueid: 1\nagi_arg_2: x\n\n", "agi_arg_2 out of place"),
        (
            b"agi_uniqueid: 1\n" + b"".join(b"agi_arg_%d: x\n" % n for n in range(1, 129)) + b"\n",
            "more than 127 arguments",
        ),
    ],
)
async def test_bad_environment(data: bytes, reason: str) -> None:
    """What is no environment of Asterisk is answered `failure`, and the log says what it was."""
    answer, aftermath = await told(data)
    assert answer == b"failure protocol_error\n"
    assert [(line["event"], line["reason"]) for line in aftermath.warnings] == [
        ("agi_protocol_error", reason)
    ]
    assert aftermath.session["outcome"] == "protocol_error"
    assert aftermath.measures.agi_protocol_errors.values == {("environment",): 1.0}


async def test_connect_and_leave() -> None:
    """A port scan or a health check leaves one line and no warning."""
    async with staged(ROUTES) as (server, aftermath):
        async with connected(server):
            await arrival(server)
        assert await server.drain(5.0)
    assert aftermath.session["outcome"] == "disconnected"
    assert aftermath.warnings == []


async def test_connect_and_reset() -> None:
    """So does a reset."""
    async with staged(ROUTES) as (server, aftermath), connected(server) as peer:
        await arrival(server)
        peer.writer.transport.abort()
        assert await server.drain(5.0)
    assert aftermath.session["outcome"] == "disconnected"


@pytest.mark.parametrize("size", [1, 20, 200])
async def test_environment_cut_short(size: int) -> None:
    """A connection that ends within the environment is a protocol error, not a call."""
    asterisk = FakeAsterisk("r", faults=Faults(cut_environment_after=size))
    aftermath = await play(asterisk, ROUTES)
    assert [line["reason"] for line in aftermath.warnings] == [f"cut short after {size} bytes"]
    assert aftermath.session["outcome"] == "protocol_error"


async def test_bytes_that_are_not_utf8() -> None:
    """A caller name cut in the middle of a character neither ends the call nor changes."""

    async def echo(channel: AgiChannel) -> Variables:
        return {"NAME": channel.request.known("agi_calleridname")}

    asterisk = FakeAsterisk("r", caller_name="Ren\udcc3", unique_id="17.\udcff")
    aftermath = await play(asterisk, of(echo))
    assert asterisk.variables["NAME"] == "Ren\udcc3"
    assert aftermath.session["unique_id"] == "17.\udcff"
    assert aftermath.warnings == []


async def test_spoofed_argument_lines() -> None:
    """A newline in an argument adds text at most: what Asterisk said first is believed."""

    async def echo(channel: AgiChannel) -> Variables:
        return {"WHO": channel.request["agi_callerid"]}

    spoof = Faults(header_lines=(b"agi_arg_1: x\n", b"agi_callerid: 911\n", b"SGE: 1\n"))
    asterisk = FakeAsterisk("r", caller_number="1002", faults=spoof)
    await play(asterisk, of(echo))
    assert asterisk.variables["WHO"] == "1002"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (GARBAGE + b"\n", "reply"),
        (b"HTTP/1.1 200 OK\r\n", "reply"),
        (b"200 result=1 (a)\n200 result=1 (b)\n", "unexpected"),
        (b"200 result=1 (" + b"x" * 2_000_000, "reply_size"),
    ],
)
async def test_bad_replies(answer: bytes, kind: str) -> None:
    """Garbage, a reply twice or without end: FAILURE, with the variables that say why."""
    asterisk = FakeAsterisk("r", faults=Faults(answers={"GET VARIABLE": Answer(answer)}))
    async with staged(ROUTES) as (server, aftermath):
        await asterisk.run(*server.addresses[0])
    assert asterisk.status == "FAILURE"
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Protocol error",
        "SGE_ERROR_CODE": "protocol_error",
    }
    assert [line["event"] for line in aftermath.warnings] == ["agi_protocol_error"]
    assert aftermath.measures.agi_protocol_errors.values == {(kind,): 1.0}
    assert aftermath.session["outcome"] == "protocol_error"


@pytest.mark.parametrize("then", ["close", "reset"])
async def test_connection_lost_instead_of_a_reply(then: Literal["close", "reset"]) -> None:
    """A connection that goes away in the middle is a hang-up to the route."""
    lost = Faults(answers={"GET VARIABLE": Answer(b"", then=then)})
    aftermath = await play(FakeAsterisk("r", faults=lost), ROUTES)
    assert aftermath.session["outcome"] == "hangup"
    assert aftermath.warnings == []


async def test_nothing_is_said_after_the_protocol_broke() -> None:
    """A route that goes on in its `finally` gets no further with a peer that is not believed."""

    async def stubborn(channel: AgiChannel) -> None:
        try:
            await channel.execute(get_variable("X"))
        finally:
            await channel.get_variables("Y")

    asterisk = FakeAsterisk("r", faults=Faults(answers={"GET VARIABLE": Answer(b"what?\n")}))
    aftermath = await play(asterisk, of(stubborn))
    assert [c for c in asterisk.commands if c.startswith("GET")] == ['GET VARIABLE "X"']
    assert asterisk.variables["SGE_ERROR_CODE"] == "protocol_error"
    assert [line["event"] for line in aftermath.warnings] == ["agi_protocol_error"]


async def test_unasked_line_in_the_middle() -> None:
    """A line that answers nothing ends the session, even while the route waits elsewhere."""
    async with staged(ROUTES) as (server, aftermath), connected(server) as peer:
        peer.send(ENVIRONMENT % b"r")
        assert await peer.line() == 'GET VARIABLE "X"\n'
        peer.send(b"200 result=0\n200 result=0\n")
        assert (await peer.rest()).endswith(b"failure protocol_error\n")
    assert aftermath.session["outcome"] == "protocol_error"


@pytest.mark.parametrize("chunk", [1, 7])
async def test_bytes_in_pieces(chunk: int) -> None:
    """However the network cuts the bytes, the call is the same."""
    asterisk = FakeAsterisk("r", variables={"X": "it"})
    async with (
        serve_routes(ROUTES) as server,
        TcpProxy(*server.addresses[0]) as proxy,
    ):
        proxy.trickle(chunk, "to server")
        await asterisk.run(proxy.host, proxy.port)
    assert asterisk.variables["GOT"] == "it"


@pytest.mark.parametrize("reset", [False, True])
async def test_network_that_is_cut(reset: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Wherever in a session the network breaks, the session ends and the next call is served."""
    async with staged(ROUTES) as (server, aftermath), TcpProxy(*server.addresses[0]) as proxy:
        for size in range(0, 700, 70):
            proxy.cut_after(size, "to server", reset=reset)
            await FakeAsterisk("r").run(proxy.host, proxy.port)
        proxy.cut_after(1_000_000, "to server")
        asterisk = FakeAsterisk("plain")
        await asterisk.run(proxy.host, proxy.port)
        assert asterisk.variables["PLAIN"] == "yes"
    assert {line["event"] for line in aftermath.warnings} <= {"agi_protocol_error"}
    assert aftermath.lines("route_failed") == []
    assert aftermath.measures.agi_sessions_open.values == {(): 0}
