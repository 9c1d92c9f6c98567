"""Programs of the host that tests of operation need."""

import os
import shutil
from pathlib import Path

import pytest

from lab import programs
from lab.errors import InstallError


def test_missing_programs_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is missing is said with the command that brings it; what is there is no reason."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert programs.why_not("snmpd", "smilint") == (
        "there is no snmpd and no smilint on this machine: run python3 -m lab install"
    )
    (tmp_path / "snmpd").touch(mode=0o755)
    assert programs.why_not("snmpd") is None


def test_missing_modules_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The standard MIB modules are there or all of them are missing."""
    monkeypatch.setattr(programs, "cache_folder", lambda: tmp_path)
    assert programs.why_no_mibs() is not None
    (tmp_path / "mibs").mkdir()
    for name in programs.STANDARD_MIBS:
        assert programs.why_no_mibs() is not None
        (tmp_path / "mibs" / name).touch()
    assert programs.why_no_mibs() is None


def nothing_is_run(*_command: object) -> None:
    """Fail."""
    pytest.fail("something was run")


def everywhere(name: str) -> str:
    """Where a program is that is there."""
    return f"/usr/bin/{name}"


def test_what_is_there_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where everything is there nothing is run."""
    monkeypatch.setattr(programs, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(programs, "run_step", nothing_is_run)
    monkeypatch.setattr(shutil, "which", everywhere)
    (tmp_path / "mibs").mkdir()
    for name in programs.STANDARD_MIBS:
        (tmp_path / "mibs" / name).touch()
    said: list[str] = []
    programs.install(said.append)
    assert said == [f"{', '.join(programs.PACKAGES)} are installed"]


def test_other_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without root nothing is installed, and what is missing is said."""
    monkeypatch.setattr(programs, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    with pytest.raises(InstallError, match=r"as root .*smitools"):
        programs.install(said.append)
