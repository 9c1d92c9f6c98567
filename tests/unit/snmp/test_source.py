"""Where the figures come from: fetched over HTTP, waited for once, used while they are fresh."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from fastagi_server.snmp import source
from fastagi_server.snmp.objects import Values
from fastagi_server.snmp.source import Source, SourceError, fetch_from, parse

FIVE: Values = {"sge_voip_calls_active": [(("connected",), 5.0)]}


class Service:
    """A service that is there, away, or hangs until it is let go."""

    def __init__(self) -> None:
        self.now = 100.0
        self.fetches = 0
        self.is_away = False
        self.let_go = threading.Event()
        self.let_go.set()

    def clock(self) -> float:
        """The time."""
        return self.now

    def fetch(self) -> Values:
        """Give the figures."""
        self.fetches += 1
        self.let_go.wait(30)
        if self.is_away:
            raise SourceError("away")
        return FIVE


@pytest.fixture
def service() -> Service:
    """A service that is there."""
    return Service()


@pytest.fixture
def figures(service: Service) -> Source:
    """Its figures."""
    return Source(service.fetch, service.clock)


def test_figures_are_fetched_once_a_second(service: Service, figures: Source) -> None:
    """Those of the last second are used again."""
    assert figures.values() == FIVE
    service.now += 0.9
    assert figures.values() == FIVE
    assert service.fetches == 1
    service.now += 0.2
    assert figures.values() == FIVE
    assert service.fetches == 2


def test_old_figures_serve_for_a_while(service: Service, figures: Source) -> None:
    """A service that does not answer has its last figures for 30 s, then none."""
    figures.values()
    service.is_away = True
    service.now += 29.0
    assert figures.values() == FIVE
    service.now += 2.0
    assert figures.values() is None
    service.is_away = False
    assert figures.values() == FIVE


def test_service_that_hangs_is_waited_for_once(
    service: Service, figures: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a question is open nobody waits for it again, and no other one is asked."""
    monkeypatch.setattr(source, "PATIENCE_SECONDS", 0.01)
    service.let_go.clear()
    assert figures.values() is None
    monkeypatch.setattr(source, "PATIENCE_SECONDS", 1000.0)
    assert [figures.values() for _ in range(100)] == [None] * 100
    assert service.fetches == 1
    service.let_go.set()


def test_document_is_parsed() -> None:
    """Names, label values and numbers are read; comments are not."""
    text = (
        "# HELP a_total What\n# TYPE a_total counter\n"
        'a_total{x="1",y="two, \\"three\\" {4}"} 7\na_total{x="2",y=""} 1e3\nb 4.5\n\nc NaN\n'
    )
    found = parse(text)
    assert found["a_total"] == [(("1", 'two, \\"three\\" {4}'), 7.0), (("2", ""), 1000.0)]
    assert found["b"] == [((), 4.5)]
    assert list(found) == ["a_total", "b", "c"]


@pytest.mark.parametrize("text", ["<html>", "a_total", "a_total seven", 'a{b="c"}5'])
def test_anything_else_is_refused(text: str) -> None:
    """A page of something else is no figures."""
    with pytest.raises(SourceError, match="no measures"):
        parse(text)


@contextmanager
def http(status: int, body: bytes) -> Generator[str]:
    """The address of a server that answers one request with this."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        thread.join()


def test_fetch() -> None:
    """The document behind an address is parsed."""
    with http(200, b'a{b="c"} 5\n') as url:
        assert fetch_from(url) == {"a": [(("c",), 5.0)]}


def test_fetch_of_another_protocol() -> None:
    """Who does not speak HTTP is an error in words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"Asterisk Call Manager/9.0.0\r\n\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(SourceError, match="Asterisk Call Manager"):
            fetch_from(url)
        thread.join()


def test_fetch_of_a_refusal() -> None:
    """A status that is no success is an error in words."""
    with http(503, b"") as url, pytest.raises(SourceError, match="503"):
        fetch_from(url)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "no http address"),
        ("http://127.0.0.1:1/metrics", "refused"),
        ("http://[::1/metrics", "Invalid IPv6 URL"),
    ],
)
def test_fetch_from_nowhere(url: str, words: str) -> None:
    """Where there is no service there is an error in words."""
    with pytest.raises(SourceError, match=words):
        fetch_from(url)
