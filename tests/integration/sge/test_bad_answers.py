"""Bad answers of an API: a clear status, one log line, nothing lost, the next call unharmed."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from fastagi_server.outbox.outbox import open_outbox
from fastagi_server.registration.models import Registration, Status, provisional_call_id
from fastagi_server.registration.registrar import Registrar
from fastagi_server.registration.relay import Relay
from fastagi_server.sge.client import open_client
from fastagi_server.sge.credentials import open_credentials
from fastagi_server.telemetry.measures import Measures
from tests.integration.scripted_server import (
    CALL,
    Peer,
    Script,
    always,
    answer,
    once,
    scripted_server,
)

REGISTRATION = Registration(
    "pbx", "17.4", "PJSIP/1002-1", "17.4", "ctx", "1001", "1002", "Alice", ("SIP/1001",), "audio"
)
HTML = b"<html><body>It works!</body></html>"


def html(status: int) -> bytes:
    """A page."""
    return (
        f"HTTP/1.1 {status} Whatever\r\nContent-Type: text/html\r\n"
        f"Content-Length: {len(HTML)}\r\n\r\n"
    ).encode() + HTML


async def hang(peer: Peer) -> None:
    """Take the request and say nothing."""
    await peer.request()
    await peer.closed_by_client()


async def trickle(peer: Peer) -> None:
    """Begin an answer and never end it."""
    await peer.request()
    await peer.say(answer()[:-1])
    await peer.closed_by_client()


async def ten_megabytes(peer: Peer) -> None:
    """Send far too much."""
    await peer.request()
    await peer.say(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(160):
        await peer.say(b"10000\r\n%s\r\n" % (b"x" * 65_536))


async def reset(peer: Peer) -> None:
    """Take the request and reset the connection."""
    await peer.request()
    peer.writer.transport.abort()


BAD_ANSWERS: dict[str, tuple[Script, str]] = {
    "HTML with 201": (always(html(201)), "api_bad_answer"),
    "HTML with 403": (always(html(403)), "api_bad_answer"),
    "HTML with 404": (always(html(404)), "api_not_found"),
    "HTML with 502": (always(html(502)), "api_error"),
    "JSON cut off": (always(answer(CALL[:-5])), "api_bad_answer"),
    "body cut off": (once(answer()[:-5]), "api_bad_answer"),
    "headers cut off": (once(answer()[:30]), "api_bad_answer"),
    "empty body": (always(answer(b"")), "api_bad_answer"),
    "a list": (always(answer(b"[]")), "api_bad_answer"),
    "no id": (always(answer(b'{"metadata":{}}')), "api_bad_answer"),
    "not UTF-8": (always(answer(b'{"id":"\xff"}')), "api_bad_answer"),
    "an id that is an attack": (always(answer(b'{"id":"${SHELL(id)}"}')), "api_bad_answer"),
    "not HTTP": (always(b"\x16\x03\x01 not http at all\r\n\r\n"), "api_bad_answer"),
    "two lengths": (
        always(b"HTTP/1.1 201 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
        "api_bad_answer",
    ),
    "length and chunked": (
        always(
            b"HTTP/1.1 201 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        ),
        "api_bad_answer",
    ),
    "switching protocols": (
        always(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
        "api_bad_answer",
    ),
    "10 MB": (ten_megabytes, "api_bad_answer"),
    "redirect": (
        always(answer(b"", 302, "Location: http://127.0.0.1:1/")),
        "api_redirected",
    ),
    "permanent redirect": (always(answer(b"", 308, "Location: /other")), "api_redirected"),
    "unauthorised": (always(answer(b"{}", 401)), "api_unauthorized"),
    "proxy wants a password": (always(answer(b"{}", 407)), "api_unauthorized"),
    "too many requests": (always(answer(b"{}", 429, "Retry-After: 0")), "api_overloaded"),
    "server error": (always(answer(b"{}", 500)), "api_error"),
    "server error without end": (always(answer(b"{}", 503)), "api_error"),
    "request timeout": (always(answer(b"{}", 408)), "api_timeout"),
    "closed without an answer": (once(b""), "api_unreachable"),
    "reset": (reset, "api_unreachable"),
    "silence": (hang, "api_timeout"),
    "an answer without an end": (trickle, "api_timeout"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
async def test_bad_answer_queues_and_harms_nobody(name: str, tmp_path: Path) -> None:
    """The call is queued with its reason, the next call is registered, the relay delivers."""
    bad, code = BAD_ANSWERS[name]
    well = False

    async def script(peer: Peer) -> None:
        await (always(answer()) if well else bad)(peer)

    measures = Measures()
    async with (
        scripted_server(script) as server,
        open_outbox(tmp_path / "outbox.db", measures=measures) as outbox,
        open_client(
            str(server.url), credentials=open_credentials("bearer", value="t"), measures=measures
        ) as client,
    ):
        patience = 0.1 if code == "api_timeout" else 10.0
        await client.warm(deadline=asyncio.get_running_loop().time() + 10.0)
        registrar = Registrar(client, outbox, measures=measures, deadline_seconds=patience)
        with capture_logs() as logs:
            queued = await registrar.register(REGISTRATION)
        assert (queued.status, queued.code, queued.error) == (Status.QUEUED, code, "")
        assert queued.call_id == provisional_call_id("agi-pbx-17.4")
        assert [(line["event"], line["code"]) for line in logs] == [("statement_queued", code)]

        well = True
        for task in list(server.tasks):
            task.cancel()
        await asyncio.gather(*server.tasks, return_exceptions=True)
        registrar = Registrar(client, outbox, measures=measures, deadline_seconds=10.0)
        next_call = await registrar.register(replace(REGISTRATION, unique_id="17.5"))
        assert (next_call.status, next_call.call_id) == (Status.REGISTERED, "c1")

        relay = asyncio.create_task(Relay(client, outbox, outbox, measures=measures).run())
        while (await outbox.statistics()).pending:
            pass
        relay.cancel()
        with suppress(asyncio.CancelledError):
            await relay
        assert (await outbox.standing(queued.call_id)).call_id == "c1"


async def test_answer_without_metadata_registers(tmp_path: Path) -> None:
    """A 201 without `metadata` is a registered call; its channel is the one we asked for."""
    measures = Measures()
    async with (
        scripted_server(always(answer(b'{"id":"c1"}'))) as server,
        open_outbox(tmp_path / "outbox.db", measures=measures) as outbox,
        open_client(
            str(server.url), credentials=open_credentials("bearer"), measures=measures
        ) as client,
    ):
        registrar = Registrar(client, outbox, measures=measures)
        outcome = await registrar.register(REGISTRATION)
    assert (outcome.status, outcome.call_id, outcome.channel_id) == (
        Status.REGISTERED,
        "c1",
        "17.4",
    )


@pytest.mark.parametrize("status", [400, 403, 409, 413, 415, 422])
async def test_definite_no_is_refused(status: int, tmp_path: Path) -> None:
    """The API's own no reaches the dialplan and is not asked again."""
    measures = Measures()
    async with (
        scripted_server(always(answer(b'{"error":"no"}', status))) as server,
        open_outbox(tmp_path / "outbox.db", measures=measures) as outbox,
        open_client(
            str(server.url), credentials=open_credentials("bearer"), measures=measures
        ) as client,
    ):
        registrar = Registrar(client, outbox, measures=measures)
        with capture_logs() as logs:
            outcome = await registrar.register(REGISTRATION)
        assert (outcome.status, outcome.error) == (Status.REFUSED, "Call refused")
        assert [line["event"] for line in logs] == ["statement_refused"]
        assert (await outbox.statistics()).pending == 0


async def test_warming_an_api_that_is_down_is_no_error() -> None:
    """The service starts without its API; the log says that there is no connection yet."""
    async with open_client(
        "http://127.0.0.1:1", credentials=open_credentials("bearer"), measures=Measures()
    ) as client:
        with capture_logs() as logs:
            await client.warm(deadline=asyncio.get_running_loop().time() + 10.0)
    assert [line["event"] for line in logs] == ["sge_not_connected"]


async def test_unreachable_api_is_survived(tmp_path: Path) -> None:
    """Nobody listens: queued with its reason, however many calls there are."""
    measures = Measures()
    async with (
        open_outbox(tmp_path / "outbox.db", measures=measures) as outbox,
        open_client(
            "http://127.0.0.1:1", credentials=open_credentials("bearer"), measures=measures
        ) as client,
    ):
        registrar = Registrar(client, outbox, measures=measures, deadline_seconds=10.0)
        outcomes = [
            await registrar.register(replace(REGISTRATION, unique_id=f"17.{number}"))
            for number in range(8)
        ]
        assert [outcome.code for outcome in outcomes] == ["api_unreachable"] * 5 + [
            "api_breaker_open"
        ] * 3
        assert (await outbox.statistics()).pending == 8
