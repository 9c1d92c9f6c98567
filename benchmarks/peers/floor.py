"""The floor for Python: one Protocol a side, raw bytes, uvloop, and nothing a service needs.

No limits, no deadlines, no logging, no error handling. It marks what the language and the
loop cost, so that what our server adds can be seen.
"""

import asyncio
import json
from typing import cast

from benchmarks.peers.job import arguments, authorization, registration, variables
from benchmarks.peers.loops import run


class Api(asyncio.Protocol):
    """One kept-alive HTTP connection; serves one session at a time."""

    def __init__(self, idle: list["Api"], host: bytes) -> None:
        self._idle = idle
        self._head = (
            b"POST /api/v1/voip/calls HTTP/1.1\r\nHost: " + host + b"\r\n"
            b"Authorization: " + authorization()["Authorization"].encode() + b"\r\n"
            b"Content-Type: application/json\r\nContent-Length: "
        )
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def post(self, body: bytes, session: "Session") -> None:
        """Send one request whose answer goes to `session`."""
        self._session = session
        self._transport.write(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)

    def data_received(self, data: bytes) -> None:
        """Answer the session as soon as the body is whole."""
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._buffer = b""
            self._idle.append(self)
            self._session.answer(body)


class Session(asyncio.Protocol):
    """One AGI connection: request in, one POST, both variables in one batch, half-close."""

    def __init__(self, idle: list[Api], address: tuple[str, int]) -> None:
        self._idle = idle
        self._address = address
        self._buffer = b""
        self._posted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Collect the request; what comes after it are replies that nobody reads."""
        if self._posted:
            return
        self._buffer += data
        if self._buffer.endswith(b"\n\n"):
            self._posted = True
            lines = self._buffer.decode().splitlines()
            headers = dict(line.split(": ", 1) for line in lines if line)
            body = json.dumps(registration(headers)).encode()
            if self._idle:
                self._idle.pop().post(body, self)
            else:
                self._connecting = asyncio.ensure_future(self._connect(body))

    async def _connect(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        host, port = self._address
        name = f"{host}:{port}".encode()
        _, api = await loop.create_connection(lambda: Api(self._idle, name), host, port)
        api.post(body, self)

    def answer(self, body: bytes) -> None:
        """Set the variables of the API's answer and end the session."""
        batch = "".join(f'SET VARIABLE {n} "{v}"\n' for n, v in variables(json.loads(body)))
        self._transport.write(batch.encode())
        self._transport.write_eof()


async def main(port: int, api: str) -> None:
    """Serve the fixed job on `port`, against the API at `api`."""
    host, _, rest = api.removeprefix("http://").partition(":")
    address = (host, int(rest.partition("/")[0]))
    idle: list[Api] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Session(idle, address), "127.0.0.1", port, backlog=2048
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    given = arguments()
    run(main(given.port, given.api), on_uvloop=True)
