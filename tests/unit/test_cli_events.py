"""The commands for dead letters and for the stream, as far as they need no service."""

import asyncio
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from fastagi_server.cli import main
from fastagi_server.events.ports import DeadLetter
from fastagi_server.store.opening import open_store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder that the settings name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FASTAGI_STATE_DIR", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    """Exit code and output of a command."""
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def bury(state: Path) -> None:
    """Give two deliveries up."""

    async def work() -> None:
        async with open_store(f"sqlite:///{state / 'sge.sqlite3'}") as store:
            for number in (7, 8):
                letter = DeadLetter(
                    "billing", f"call-{number}", "call.ended", b"{}", 10, "status 500", NOON
                )
                await store.webhooks.bury(letter)

    asyncio.run(work())


def test_dead_letters_are_listed_and_sent_again(state: Path) -> None:
    """An operator sees what was given up, and asks for it once more."""
    assert run("webhooks", "dead") == (0, "no dead letters\n")
    bury(state)
    code, output = run("webhooks", "dead")
    assert code == 0
    assert output.splitlines()[0].split() == [
        *("1", "billing", "call-7", "call.ended", "attempts=10"),
        *("2026-11-23", "12:00", "status", "500"),
    ]
    assert run("webhooks", "retry", "1") == (0, "1 dead letter: retry\n")
    assert run("webhooks", "retry", "--all") == (0, "1 dead letter: retry\n")
    assert run("webhooks", "dead") == (0, "no dead letters\n")


def test_letters_must_be_named(state: Path) -> None:
    """Neither none nor both of numbers and --all."""
    assert run("webhooks", "retry")[0] == 2
    assert run("webhooks", "retry", "1", "--all")[0] == 2


def test_a_remote_api_has_its_own(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the records are elsewhere, so are the webhooks."""
    monkeypatch.setenv("SGE_API_URL", "http://127.0.0.1:1/")
    code, output = run("webhooks", "dead")
    assert code == 1
    assert "remote API" in output


@pytest.mark.parametrize("arguments", [("--type", "call"), ("--key-file", "nowhere")])
def test_the_stream_is_asked_for_rightly(state: Path, arguments: tuple[str, str]) -> None:
    """What is no type, and a file that is not there, are told before anything is sent."""
    assert run("events", *arguments)[0] == 2


@contextmanager
def serving(stream: bytes) -> Generator[str]:
    """The URL of a service that sends a stream once, and after that lets nobody in."""
    streams = [stream]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if streams else 401)
            self.end_headers()
            self.wfile.write(streams.pop() if streams else b"no")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_a_callers_name_commands_no_terminal(state: Path) -> None:
    """What a terminal obeys, or a program takes for a line's end, is escaped; JSON stays whole."""
    name = "H\u00e9l\u00e8ne \u2028 \x9b2J \x7f"
    document = json.dumps({"id": "b0-1", "data": {"caller_id": name}}, ensure_ascii=False)
    with serving(f"id: b0-1\ndata: {document}\n\n".encode()) as url:
        code, output = run("events", "--url", url)
    line, *others = output.splitlines()
    assert "H\u00e9l\u00e8ne \\u2028 \\u009b2J \\u007f" in line
    assert json.loads(line)["data"] == {"caller_id": name}
    assert (code, others) == (1, ["Error: status 401: no"])
