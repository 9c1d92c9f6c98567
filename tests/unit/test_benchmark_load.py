"""The load generator and the phone of the API's benchmarks."""

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.busy_phone import BusyPhone, busy
from benchmarks.http_load import rate
from benchmarks.processes import BenchmarkError, free_port


class Handler(BaseHTTPRequestHandler):
    """Answers /ok and refuses the rest."""

    protocol_version = "HTTP/1.1"
    paths: list[str]

    def do_GET(self) -> None:
        """Answer in two pieces, as a network may."""
        self.paths.append(self.path)
        self.send_response(200 if self.headers["X-API-Key"] == "key" else 401)
        self.send_header("Content-Length", "6")
        self.end_headers()
        for piece in (b"abc", b"def"):
            self.wfile.write(piece)
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""


@pytest.fixture
def paths() -> list[str]:
    """The paths that were asked for, of the server on `port`."""
    Handler.paths = []
    return Handler.paths


@pytest.fixture
def port(paths: list[str]) -> Iterator[int]:
    """A server's port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield server.server_port
        server.shutdown()
        serving.join()


def test_every_request_is_made(port: int, paths: list[str]) -> None:
    """The requests that count come after a tenth as many that do not."""
    assert rate(port, "/ok", key="key", requests=100, connections=4) > 0
    assert paths == ["/ok"] * 110


def test_refusal_is_no_load(port: int) -> None:
    """A server that refuses is not measured."""
    with pytest.raises(BenchmarkError, match=r"unexpected answer: b'HTTP/1\.1 401"):
        rate(port, "/ok", key="wrong", requests=10, connections=1)


def test_nobody_listens() -> None:
    """A server that is not there is not measured either."""
    with pytest.raises(OSError):  # noqa: PT011 - its text is the system's
        rate(free_port(), "/ok", key="key", requests=10, connections=1)


INVITE = (
    b"INVITE sip:bench@127.0.0.1:5555 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK1\r\n"
    b"From: <sip:1001@127.0.0.1>;tag=a\r\n"
    b"To: <sip:bench@127.0.0.1>\r\n"
    b"Call-ID: c-1\r\nCSeq: 7 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 4\r\n\r\nv=0\n"
)


def test_busy_phone_refuses_in_sip() -> None:
    """The phone's answer repeats what tells the call, and nothing else of the INVITE."""
    answer, call_id = busy(INVITE)
    assert call_id == b"Call-ID: c-1"
    assert answer == (
        b"SIP/2.0 486 Busy Here\r\n"
        b"Via: SIP/2.0/UDP 127.0.0.1:5060;rport;branch=z9hG4bK1\r\n"
        b"From: <sip:1001@127.0.0.1>;tag=a\r\n"
        b"To: <sip:bench@127.0.0.1>;tag=busy\r\n"
        b"Call-ID: c-1\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n"
    )


def test_busy_phone_is_rung_once_a_call() -> None:
    """An INVITE that is repeated is answered again and counts once."""
    with BusyPhone() as phone, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as pbx:
        pbx.settimeout(5)
        address = ("127.0.0.1", int(phone.uri.rpartition(":")[2]))
        for invite in (INVITE, INVITE, INVITE.replace(b"c-1", b"c-2")):
            pbx.sendto(invite, address)
            assert pbx.recv(65_536).startswith(b"SIP/2.0 486 Busy Here\r\n")
        assert phone.wait() <= phone.wait()
        assert phone.times_rung == 0
