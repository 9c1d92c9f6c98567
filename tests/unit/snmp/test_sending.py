"""Traps by snmptrap: what it is asked, and what becomes of its failures."""

from pathlib import Path

import pytest

from fastagi_server.snmp import sending
from fastagi_server.snmp.sending import SendError, send
from fastagi_server.snmp.traps import LINK_LOST, Trap

TRAP = Trap(LINK_LOST, (1, 3, 6, 27, 1), "s", "ari")


def program(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An snmptrap that does this; what it was asked is in a file."""
    asked = folder / "asked"
    script = folder / "snmptrap"
    script.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >> {asked}\n{text}\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return asked


def test_trap_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each destination gets OID, variable, type and value, and no secret is among the words."""
    asked = program(tmp_path, "echo >> asked", monkeypatch)
    monkeypatch.chdir(tmp_path)
    send(TRAP, ["127.0.0.1:1162", "127.0.0.1:2162"])
    notification = ".1.3.6.1.4.1.8072.1.3.2.3.2.2.1.11"
    assert asked.read_text().splitlines() == [
        f"127.0.0.1:1162||{notification}|.1.3.6.27.1|s|ari|",
        f"127.0.0.1:2162||{notification}|.1.3.6.27.1|s|ari|",
    ]


def test_refusal_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What snmptrap complains of is the error, after every destination was tried."""
    asked = program(tmp_path, "echo no community >&2; exit 1", monkeypatch)
    with pytest.raises(SendError, match=r"^a: no community$"):
        send(TRAP, ["a", "b"])
    assert asked.read_text().count("ari|") == 2


def test_program_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended at its deadline."""
    program(tmp_path, "exec sleep 30", monkeypatch)
    monkeypatch.setattr(sending, "SEND_SECONDS", 0.2)
    with pytest.raises(SendError, match="took more than"):
        send(TRAP, ["a"])


def test_program_that_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken one is an error in words."""
    program(tmp_path, "", monkeypatch)
    (tmp_path / "snmptrap").write_bytes(b"\x7fELF")
    with pytest.raises(SendError, match=r"^a: .*Exec format error"):
        send(TRAP, ["a"])


def test_program_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package that brings it is named."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SendError, match="install the package snmp"):
        send(TRAP, ["a"])
