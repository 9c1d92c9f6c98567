"""The fake SGE API, asked over raw HTTP."""

import asyncio
import json
from typing import Any

import pytest

from fastagi_server.testing.sge import Behaviour, FakeSge

SECONDS = 5.0

WANTED: dict[str, Any] = {
    "participants": ["SIP/1001"],
    "call_type": "audio",
    "metadata": {"asterisk_call_id": "17.4", "caller_id": "1002"},
}


class Client:
    """A connection kept alive, without any HTTP library."""

    def __init__(self, sge: FakeSge) -> None:
        self._sge = sge
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.headers: dict[str, str] = {}

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send one request; give the status and what the JSON of the answer says."""
        data = b"" if body is None else json.dumps(body).encode()
        answer = await self.exchange(method, path, data, headers or {})
        return answer, json.loads(self.body)

    async def exchange(self, method: str, path: str, data: bytes, headers: dict[str, str]) -> int:
        """Send one request; give the status, and keep headers and body."""
        fields = {"Host": "sge", "Content-Length": str(len(data)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return await self.raw(f"{method} /api/v1/voip{path} HTTP/1.1\r\n{head}\r\n".encode() + data)

    async def raw(self, data: bytes) -> int:
        """Send bytes and read one answer."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._sge.port)
        reader, writer = self._streams
        writer.write(data)
        async with asyncio.timeout(SECONDS):
            start, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            self.headers = dict(line.split(": ", 1) for line in lines)
            self.body = await reader.readexactly(int(self.headers["Content-Length"]))
        return int(start.split(" ")[1])

    def close(self) -> None:
        """Close the connection, if there was one."""
        if self._streams is not None:
            self._streams[1].close()


async def test_create_adopts_the_channel() -> None:
    """A new call is 201 with an id, and its channel is the one that Asterisk has."""
    async with FakeSge() as sge:
        client = Client(sge)
        status, call = await client.ask("POST", "/calls", WANTED)
        client.close()
        assert status == 201
        assert call["metadata"]["asterisk_channel_id"] == "17.4"
        assert call["status"] == "initiating"
        assert call["participants"] == ["SIP/1001"]
        assert sge.calls[call["id"]]["metadata"]["caller_id"] == "1002"


async def test_client_cannot_choose_the_channel_id() -> None:
    """The channel id is made from the call id, whatever the client sends."""
    async with FakeSge() as sge:
        client = Client(sge)
        metadata = {"asterisk_call_id": "17.4", "asterisk_channel_id": "spoofed"}
        _, call = await client.ask("POST", "/calls", {**WANTED, "metadata": metadata})
        client.close()
        assert call["metadata"]["asterisk_channel_id"] == "17.4"


async def test_repeated_key_gives_the_same_call() -> None:
    """A repeated Idempotency-Key is answered with 200 and the first call."""
    async with FakeSge() as sge:
        client = Client(sge)
        key = {"Idempotency-Key": "agi-pbx1-17.4"}
        first = await client.ask("POST", "/calls", WANTED, key)
        second = await client.ask("POST", "/calls", WANTED, key)
        third = await client.ask("POST", "/calls", WANTED, {"Idempotency-Key": "other"})
        client.close()
        assert (first[0], second[0], third[0]) == (201, 200, 201)
        assert first[1]["id"] == second[1]["id"] != third[1]["id"]
        assert len(sge.calls) == 2
        assert sge.connections == 1


async def test_life_of_a_call() -> None:
    """A call is accepted, ended once, kept as it ended, and no longer listed."""
    async with FakeSge() as sge:
        client = Client(sge)
        _, call = await client.ask("POST", "/calls", WANTED)
        path = f"/calls/{call['id']}"
        assert (await client.ask("GET", "/calls"))[1] == [call]
        status, accepted = await client.ask("POST", f"{path}/accept")
        assert (status, accepted["status"]) == (200, "connected")
        status, ended = await client.ask("POST", f"{path}/end", {"hangup_cause": 16})
        assert (status, ended["status"], ended["hangup_cause"]) == (200, "ended", 16)
        status, again = await client.ask("POST", f"{path}/end", {"hangup_cause": 17})
        assert (status, again) == (200, ended)
        assert (await client.ask("POST", f"{path}/accept"))[0] == 409
        assert (await client.ask("GET", path)) == (200, ended)
        assert (await client.ask("GET", "/calls"))[1] == []
        client.close()


async def test_facts_of_the_answer_and_the_end() -> None:
    """The times that a client knows are kept instead of the server's."""
    async with FakeSge() as sge:
        client = Client(sge)
        _, call = await client.ask("POST", "/calls", WANTED)
        path = f"/calls/{call['id']}"
        answered = {"answered_at": "2026-01-01T00:00:00Z"}
        assert (await client.ask("POST", f"{path}/accept", answered))[1]["answered_at"] == (
            "2026-01-01T00:00:00Z"
        )
        facts = {"dial_status": "ANSWER", "ended_at": "2026-01-01T00:01:00Z"}
        _, ended = await client.ask("POST", f"{path}/end", facts)
        client.close()
        assert ended["end_time"] == "2026-01-01T00:01:00Z"
        assert ended["dial_status"] == "ANSWER"


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/calls/none", None, 404, "call_not_found"),
        ("POST", "/calls/none/accept", None, 404, "call_not_found"),
        ("POST", "/calls/none/end", None, 404, "call_not_found"),
        ("GET", "/elsewhere", None, 404, "not_found"),
        ("POST", "/calls", {"participants": []}, 422, "invalid"),
        ("POST", "/calls", [1], 422, "invalid"),
    ],
)
async def test_errors(method: str, path: str, body: Any, status: int, code: str) -> None:
    """What cannot be done is refused with the contract's error body."""
    async with FakeSge() as sge:
        client = Client(sge)
        answer, error = await client.ask(method, path, body)
        client.close()
        assert (answer, error["code"]) == (status, code)
        assert set(error) == {"error", "message", "code", "request_id"}


async def test_malformed_json() -> None:
    """A body that is no JSON is refused with 400."""
    async with FakeSge() as sge:
        client = Client(sge)
        assert await client.exchange("POST", "/calls", b"{", {}) == 400
        client.close()
        assert json.loads(client.body)["code"] == "malformed_json"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"X-API-Key": "wrong"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "key"}, 401),
        ({"X-API-Key": "key"}, 200),
        ({"Authorization": "Bearer token"}, 200),
    ],
)
async def test_authentication(headers: dict[str, str], status: int) -> None:
    """A request must show the key or the token, if there is one."""
    async with FakeSge(api_key="key", bearer="token") as sge:
        client = Client(sge)
        assert (await client.ask("GET", "/calls", None, headers))[0] == status
        client.close()


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        (Behaviour.ERROR, 500),
        (Behaviour.BAD_GATEWAY, 502),
        (Behaviour.UNAVAILABLE, 503),
        (Behaviour.TOO_MANY, 429),
        (Behaviour.UNAUTHORIZED, 401),
        (Behaviour.FORBIDDEN, 403),
        (Behaviour.INVALID, 422),
    ],
)
async def test_refusals(behaviour: Behaviour, status: int) -> None:
    """A refused request changes nothing, and 429 and 503 say when to come again."""
    async with FakeSge(behaviour=behaviour, retry_after=7) as sge:
        client = Client(sge)
        assert (await client.ask("POST", "/calls", WANTED))[0] == status
        client.close()
        assert client.headers.get("Retry-After") == ("7" if status in (429, 503) else None)
        assert sge.calls == {}
        assert len(sge.requests) == 1


async def test_next_behaviours() -> None:
    """Behaviours for the next requests are used up in order; then the lasting one holds."""
    async with FakeSge() as sge:
        client = Client(sge)
        sge.behave(Behaviour.ERROR, Behaviour.TOO_MANY)
        statuses = [(await client.ask("POST", "/calls", WANTED))[0] for _ in range(3)]
        client.close()
        assert statuses == [500, 429, 201]


async def test_html() -> None:
    """The answer may be a page of something in between, with status 200."""
    async with FakeSge(behaviour=Behaviour.HTML) as sge:
        client = Client(sge)
        assert await client.exchange("POST", "/calls", b"{}", {}) == 200
        client.close()
        assert client.headers["Content-Type"] == "text/html"
        assert client.body.startswith(b"<!doctype html>")


async def test_redirect() -> None:
    """The answer may point elsewhere."""
    async with FakeSge(behaviour=Behaviour.REDIRECT) as sge:
        client = Client(sge)
        assert await client.exchange("POST", "/calls", b"{}", {}) == 302
        client.close()
        assert client.headers["Location"] == f"{sge.url}/elsewhere"


async def test_no_metadata() -> None:
    """A 201 may lack its metadata; the call exists all the same."""
    async with FakeSge(behaviour=Behaviour.NO_METADATA) as sge:
        client = Client(sge)
        status, call = await client.ask("POST", "/calls", WANTED)
        client.close()
        assert status == 201
        assert "metadata" not in call
        assert list(sge.calls) == [call["id"]]


async def test_truncated_json() -> None:
    """The JSON may stop in its middle, under a right Content-Length."""
    async with FakeSge(behaviour=Behaviour.TRUNCATED) as sge:
        client = Client(sge)
        assert await client.exchange("POST", "/calls", json.dumps(WANTED).encode(), {}) == 201
        client.close()
        with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
            json.loads(client.body)


async def test_huge_answer() -> None:
    """The answer may have more than ten megabytes."""
    async with FakeSge(behaviour=Behaviour.HUGE) as sge:
        client = Client(sge)
        status, call = await client.ask("POST", "/calls", WANTED)
        client.close()
        assert status == 201
        assert len(call["padding"]) == 10 * 1024 * 1024


@pytest.mark.parametrize(
    ("behaviour", "calls"), [(Behaviour.CLOSE, 0), (Behaviour.LOSE_ANSWER, 1), (Behaviour.CUT, 1)]
)
async def test_connection_closed(behaviour: Behaviour, calls: int) -> None:
    """The connection may end before the answer does; the work may be done by then."""
    async with FakeSge(behaviour=behaviour) as sge:
        client = Client(sge)
        with pytest.raises(asyncio.IncompleteReadError):
            await client.ask("POST", "/calls", WANTED)
        client.close()
        assert len(sge.calls) == calls


async def test_hang() -> None:
    """A request may never be answered; it is recorded, and leaving does not wait for it."""
    async with FakeSge(behaviour=Behaviour.HANG) as sge:
        client = Client(sge)
        asking = asyncio.create_task(client.ask("POST", "/calls", WANTED))
        await sge.wait_for_requests(1)
        assert not asking.done()
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await asking
    client.close()
    assert sge.calls == {}


async def test_slow() -> None:
    """A slow answer comes after its delay."""
    async with FakeSge(behaviour=Behaviour.SLOW, delay=0.01) as sge:
        client = Client(sge)
        assert (await client.ask("POST", "/calls", WANTED))[0] == 201
        sge.delay = 3600.0
        asking = asyncio.create_task(client.ask("POST", "/calls", WANTED))
        await sge.wait_for_requests(2)
        assert not asking.done()
        assert len(sge.calls) == 1
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await asking
    client.close()


async def test_requests_are_recorded() -> None:
    """Each request is kept as it came."""
    async with FakeSge() as sge:
        client = Client(sge)
        await client.ask("POST", "/calls?x=1", WANTED, {"X-Request-ID": "r1"})
        client.close()
        [request] = sge.requests
        assert (request.method, request.target) == ("POST", "/api/v1/voip/calls?x=1")
        assert request.headers["x-request-id"] == "r1"
        assert request.json() == WANTED


async def test_waiting_for_requests_has_a_limit() -> None:
    """Requests that do not come are an error that counts those that came."""
    async with FakeSge() as sge:
        with pytest.raises(TimeoutError, match="0 of 1 requests came in"):
            await sge.wait_for_requests(1, seconds=0.01)


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"x" * 200_000,
    ],
)
async def test_not_http(data: bytes) -> None:
    """What is not plain HTTP ends the connection, and the next one is served."""
    async with FakeSge() as sge:
        client = Client(sge)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.raw(data)
        client.close()
        other = Client(sge)
        assert (await other.ask("GET", "/calls"))[0] == 200
        other.close()


async def test_connection_close_is_obeyed() -> None:
    """A client that asks for the end of the connection gets it after the answer."""
    async with FakeSge() as sge:
        client = Client(sge)
        assert (await client.ask("GET", "/calls", None, {"Connection": "close"}))[0] == 200
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await client.ask("GET", "/calls")
        client.close()


async def test_restart_on_the_same_port() -> None:
    """An API that was down comes back on its port, with its calls."""
    sge = FakeSge()
    async with sge:
        port = sge.port
        client = Client(sge)
        await client.ask("POST", "/calls", WANTED)
        client.close()
    async with sge:
        assert sge.port == port
        assert len(sge.calls) == 1
