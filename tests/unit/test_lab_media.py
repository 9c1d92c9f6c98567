"""The address that browsers and the lab's Asterisk exchange media by."""

from pathlib import Path

import pytest

from lab.errors import CommandError
from lab.media import own_media_address


def put_ip(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have a script of this code take the place of iproute2's program."""
    program = folder / "ip"
    program.write_text(f"#!/bin/sh\n{code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_the_address_is_given_to_the_loopback_interface(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that rtp.conf maps is this machine's own, also when it was so before."""
    put_ip(tmp_path, monkeypatch, f'echo "$@" >> {tmp_path}/asked')
    own_media_address()
    own_media_address()
    assert (tmp_path / "asked").read_text() == "address replace 198.18.0.1/32 dev lo\n" * 2


def test_a_machine_without_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to do."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandError, match="there is no ip on this machine: run python3 -m lab"):
        own_media_address()


def test_a_user_who_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error has the program's own words."""
    put_ip(tmp_path, monkeypatch, "echo RTNETLINK answers: Operation not permitted >&2; exit 2")
    with pytest.raises(CommandError, match=r"Operation not permitted$"):
        own_media_address()
