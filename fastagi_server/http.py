"""The HTTP server of the embedded API: uvicorn on a socket that is ours."""

import socket
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog
import uvicorn
from fastapi import FastAPI

_log = structlog.stdlib.get_logger("http")

GRACEFUL_SECONDS = 5
"""How long requests under way may go on when the server stops."""

BACKLOG = 2048


class _Server(uvicorn.Server):
    """Leaves signals to the service, which stops its parts in order."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class HttpServer:
    """Serves `app` on `host`:`port`; 0 takes a free port. The socket is bound on entering.

    Raises `OSError` on entering when the address is taken.
    """

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._server = _Server(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                http="httptools",
                timeout_graceful_shutdown=GRACEFUL_SECONDS,
            )
        )

    async def __aenter__(self) -> Self:
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        self._socket = socket.create_server(self._address, family=family, backlog=BACKLOG)
        _log.info("api_listening", address="{}:{}".format(*self.address))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._socket is not None:
            self._socket.close()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that are listened on."""
        name: tuple[str, int] = self._socket.getsockname()[:2] if self._socket else self._address
        return name

    async def run(self) -> None:
        """Serve until `stop`; then finish the requests under way."""
        if self._socket is None:
            raise RuntimeError("the server is not open")
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Make `run` return soon."""
        self._server.should_exit = True
