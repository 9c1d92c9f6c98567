"""A local HTTP server that keeps what Sentry or a collector would get."""

import gzip
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE_SECONDS = 20.0


@dataclass
class Sink:
    """What came, as (path, headers, body); `status` is answered once `gate` is open."""

    port: int = 0
    status: int = 200
    gate: threading.Event = field(default_factory=threading.Event)
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    requests: list[tuple[str, dict[str, str], bytes]] = field(
        default_factory=list[tuple[str, dict[str, str], bytes]]
    )

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        """A Sentry project at its address."""
        return f"http://f00dcafe@127.0.0.1:{self.port}/42"

    def wait(self) -> None:
        """Wait for one more request."""
        assert self.asked.acquire(timeout=PATIENCE_SECONDS)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The error events in all envelopes so far."""
        return [
            event
            for path, _, body in self.requests
            if path == "/api/42/envelope/"
            for event in _events_in(body)
        ]


def _events_in(envelope: bytes) -> Generator[dict[str, Any]]:
    """Items of an envelope: a header line, then of each item a header line and its payload."""
    lines = envelope.split(b"\n")
    json.loads(lines[0])
    for head, payload in zip(lines[1::2], lines[2::2], strict=False):
        if head and json.loads(head)["type"] == "event":
            yield json.loads(payload)


@contextmanager
def open_sink(*, open_gate: bool = True) -> Generator[Sink]:
    """A sink that answers, or one that does not until its gate is opened."""
    sink = Sink()
    if open_gate:
        sink.gate.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            sink.requests.append((self.path, dict(self.headers), body))
            sink.asked.release()
            sink.gate.wait(PATIENCE_SECONDS)
            self.send_response(sink.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield sink
        finally:
            sink.gate.set()
            server.shutdown()
            thread.join()
