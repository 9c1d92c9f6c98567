"""The commands for dead letters and for the stream, as far as they need no service."""

import asyncio
from datetime import UTC, datetime
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
