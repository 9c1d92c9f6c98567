"""Who may connect, how many at once, and what the others are told."""

import asyncio
import hashlib
import ipaddress

import pytest
from agi_stage import ENVIRONMENT, QUICK, connected, departure, of, plain, play, staged

from fastagi_server.fastagi import server as server_module
from fastagi_server.fastagi.admission import Admission, UnprotectedBindError
from fastagi_server.fastagi.channel import AgiChannel
from fastagi_server.fastagi.router import Router, Variables
from fastagi_server.fastagi.server import FastAgiServer
from fastagi_server.telemetry.measures import Measures
from fastagi_server.testing.fake_asterisk import Answer, FakeAsterisk, Faults
from fastagi_server.testing.serving import serve_routes

ELSEWHERE = Admission(allow=(ipaddress.ip_network("192.0.2.0/24"),))


async def test_over_the_limit() -> None:
    """A call too many is answered `failure` at once, while the others go on."""
    inside, leave = asyncio.Event(), asyncio.Event()

    async def work(_channel: AgiChannel) -> Variables:
        inside.set()
        await leave.wait()
        return {"DONE": "yes"}

    first, second, third = FakeAsterisk("r"), FakeAsterisk("r"), FakeAsterisk("r")
    async with staged(of(work), admission=Admission(max_sessions=1)) as (server, aftermath):
        address = server.addresses[0]
        async with first.session(*address):
            await inside.wait()
            await second.run(*address)
            assert second.status == "FAILURE"
            assert second.variables == {}
            assert first.status is None
            leave.set()
        await departure(server)
        await third.run(*address)
    assert (first.variables["DONE"], third.variables["DONE"]) == ("yes", "yes")
    assert aftermath.measures.agi_refused.values == {("overloaded",): 1.0}
    assert [line["outcome"] for line in aftermath.lines("agi_session")].count("overloaded") == 1


async def test_refused_connections_take_no_place() -> None:
    """Peers that were refused and do not leave count for nothing: the next call is served."""
    async with (
        staged(plain(), admission=Admission(max_sessions=1), deadlines=QUICK) as (server, _),
        connected(server) as silent,
    ):
        assert await silent.line() == "failure environment_timeout\n"
        asterisk = FakeAsterisk("plain")
        await asterisk.run(*server.addresses[0])
        assert asterisk.variables["PLAIN"] == "yes"


async def test_too_many_refused_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond so many that linger, refused peers are dropped without a word, and counted."""
    monkeypatch.setattr(server_module, "MAX_REFUSED", 1)
    async with (
        staged(plain(), admission=ELSEWHERE) as (server, aftermath),
        connected(server) as first,
        connected(server) as second,
    ):
        assert await first.line() == "failure address_not_allowed\n"
        assert await second.rest() == b""
    assert aftermath.measures.drops.values == {("agi_session",): 1.0}
    assert aftermath.measures.agi_refused.values == {("address_not_allowed",): 2.0}


async def test_address_that_is_not_allowed() -> None:
    """Strangers are answered `failure`, even before they have said anything."""
    async with (
        staged(plain(), admission=ELSEWHERE) as (server, aftermath),
        connected(server) as peer,
    ):
        assert await peer.line() == "failure address_not_allowed\n"
    assert aftermath.session["outcome"] == "address_not_allowed"


@pytest.mark.parametrize(
    ("host", "allowed"), [("127.0.0.1", "127.0.0.0/8"), ("::1", "::1/128"), ("::1", "::/0")]
)
async def test_address_that_is_allowed(host: str, allowed: str) -> None:
    """A network lets its addresses in, over IPv4 and IPv6."""
    admission = Admission(allow=(ipaddress.ip_network(allowed),))
    asterisk = FakeAsterisk("plain")
    await play(asterisk, plain(), admission=admission, host=host)
    assert asterisk.variables["PLAIN"] == "yes"


async def test_strangers_leave_the_places_to_the_pbx() -> None:
    """A stranger at a full server is told that he is one, not that it is full."""
    admission = Admission(max_sessions=0, allow=ELSEWHERE.allow)
    async with staged(plain(), admission=admission) as (server, _), connected(server) as peer:
        assert await peer.line() == "failure address_not_allowed\n"


async def test_challenge_answered_right() -> None:
    """A dialplan that holds the secret is served; the secret itself is never on the wire."""
    asterisk = FakeAsterisk("plain", variables={"SGE_AGI_SECRET": "s3cret"})
    await play(asterisk, plain(), admission=Admission(secret="s3cret"))
    assert asterisk.variables["PLAIN"] == "yes"
    assert asterisk.commands[0].startswith('GET FULL VARIABLE "${SHA1(${SGE_AGI_SECRET}:')
    assert all("s3cret" not in line.text for line in asterisk.dialogue)


async def test_challenge_differs_each_time() -> None:
    """An answer that was overheard is of no use in the next session."""
    asterisk = FakeAsterisk("plain", variables={"SGE_AGI_SECRET": "s3cret"})
    challenges: set[str] = set()
    async with serve_routes(plain(), admission=Admission(secret="s3cret")) as server:
        for _ in range(3):
            await asterisk.run(*server.addresses[0])
            challenges.add(asterisk.commands[0])
    assert len(challenges) == 3


@pytest.mark.parametrize(
    "secret",
    ["", "wrong"],
)
async def test_challenge_answered_wrong(secret: str) -> None:
    """Without the secret no route runs, and AGISTATUS is FAILURE whatever the route's policy."""
    ran: list[str] = []

    async def work(_channel: AgiChannel) -> None:
        ran.append("ran")

    asterisk = FakeAsterisk("r", variables={"SGE_AGI_SECRET": secret})
    aftermath = await play(asterisk, of(work), admission=Admission(secret="s3cret"))
    assert ran == []
    assert asterisk.status == "FAILURE"
    assert asterisk.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": "Not authorised",
        "SGE_ERROR_CODE": "challenge_failed",
    }
    assert aftermath.session["outcome"] == "challenge_failed"


async def test_challenge_answered_with_bytes_of_no_encoding() -> None:
    """A stranger's garbage is a wrong answer and nothing else."""
    garbage = Faults(answers={"GET FULL VARIABLE": Answer(b"200 result=1 (\xff\xfe)\n")})
    asterisk = FakeAsterisk("plain", faults=garbage)
    aftermath = await play(asterisk, plain(), admission=Admission(secret="s3cret"))
    assert asterisk.variables["SGE_ERROR_CODE"] == "challenge_failed"
    assert aftermath.warnings == []


async def test_challenge_of_another_nonce() -> None:
    """The digest of any other text than this session's is refused."""
    digest = hashlib.sha1(b"s3cret:0", usedforsecurity=False).hexdigest().encode()
    answer = Faults(answers={"GET FULL VARIABLE": Answer(b"200 result=1 (%s)\n" % digest)})
    asterisk = FakeAsterisk("plain", faults=answer)
    await play(asterisk, plain(), admission=Admission(secret="s3cret"))
    assert asterisk.variables["SGE_ERROR_CODE"] == "challenge_failed"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "pbx.example"])
async def test_open_door_is_refused(host: str) -> None:
    """Beyond loopback the server does not listen without something that keeps strangers out."""
    server = FastAgiServer(Router([plain()], default="plain"), None, measures=Measures())
    with pytest.raises(UnprotectedBindError, match="FASTAGI_ALLOW"):
        await server.listen(host, 0)
    assert server.addresses == []


@pytest.mark.parametrize(
    "admission",
    [
        Admission(secret="s"),
        Admission(allow=(ipaddress.ip_network("127.0.0.0/8"),)),
        Admission(unprotected=True),
    ],
)
async def test_guarded_door_is_opened(admission: Admission) -> None:
    """A secret, an allow-list or the administrator's word let it listen anywhere."""
    async with serve_routes(plain(), host="0.0.0.0", admission=admission) as server:
        assert server.addresses[0][0] == "0.0.0.0"


async def test_ipv6_listener() -> None:
    """A call over IPv6 is a call like any other."""
    asterisk = FakeAsterisk("plain")
    async with serve_routes(plain(), host="::1") as server:
        assert server.addresses[0][0] == "::1"
        await asterisk.run(*server.addresses[0])
    assert asterisk.variables["PLAIN"] == "yes"


async def test_several_addresses() -> None:
    """One server listens on any number of addresses."""
    async with serve_routes(plain()) as server:
        await server.listen("::1", 0)
        hosts = [host for host, _ in server.addresses]
        for address in server.addresses:
            asterisk = FakeAsterisk("plain")
            await asterisk.run(*address)
            assert asterisk.variables["PLAIN"] == "yes"
    assert hosts == ["127.0.0.1", "::1"]


async def test_port_that_is_taken() -> None:
    """An address in use is an OSError at once, not a server that nobody reaches."""
    async with serve_routes(plain()) as first, serve_routes(plain()) as second:
        with pytest.raises(OSError, match="in use"):
            await second.listen(*first.addresses[0])


async def test_peer_that_left_before_it_was_looked_at() -> None:
    """A connection reset in the backlog is a session like any other that ended early."""
    async with staged(plain(), admission=ELSEWHERE) as (server, _):
        for _ in range(20):
            _, writer = await asyncio.open_connection(*server.addresses[0])
            writer.transport.abort()
        async with connected(server) as peer:
            peer.send(ENVIRONMENT % b"plain")
            assert await peer.line() == "failure address_not_allowed\n"
