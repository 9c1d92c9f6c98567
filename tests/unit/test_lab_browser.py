"""The parts of the lab's browser that need no browser."""

from pathlib import Path

import pytest

from lab import browser
from lab.browser import WatchedPage, is_loopback
from lab.errors import InstallError


@pytest.mark.parametrize(
    ("address", "is_ours"),
    [
        ("http://127.0.0.1:8080/docs", True),
        ("https://localhost/", True),
        ("ws://[::1]:8080/events", True),
        ("data:image/png;base64,x", True),
        ("about:blank", True),
        ("blob:http://127.0.0.1/1", True),
        ("https://cdn.example.com/x.js", False),
        ("http://127.0.0.1.example.com/", False),
        ("http://localhost@192.0.2.1/", False),
        ("http://192.0.2.1:8080/", False),
    ],
)
def test_what_is_on_this_machine(address: str, *, is_ours: bool) -> None:
    """An address is the machine's own only if it names the machine and nothing more."""
    assert is_loopback(address) is is_ours


def test_outside() -> None:
    """Of what a page asked for, what is beyond this machine is told apart."""
    page = WatchedPage(page=None, requests=["http://127.0.0.1/a", "http://192.0.2.1/b"])  # type: ignore[arg-type]
    assert page.outside == ["http://192.0.2.1/b"]


def test_without_a_browser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without chromium says so, and one that cannot have it is told why."""
    monkeypatch.setattr(browser, "PROGRAM", tmp_path / "chromium")
    assert browser.why_not() == "there is no chromium on this machine: run make lab"
    monkeypatch.setattr(browser.os, "geteuid", lambda: 1000)
    with pytest.raises(InstallError, match="as root and on Debian only"):
        browser.install()


def test_browser_that_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where chromium is, nothing is installed."""
    program = tmp_path / "chromium"
    program.touch()
    monkeypatch.setattr(browser, "PROGRAM", program)
    said: list[str] = []
    browser.install(said.append)
    assert browser.why_not() is None
    assert said == [f"chromium is installed in {program}"]


def test_installing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On Debian the package is installed with apt-get, without what it recommends."""
    release = tmp_path / "os-release"
    release.write_text("ID=debian\n")
    monkeypatch.setattr(browser, "OS_RELEASE", release)
    monkeypatch.setattr(browser, "PROGRAM", tmp_path / "chromium")
    monkeypatch.setattr(browser, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(browser.os, "geteuid", lambda: 0)
    monkeypatch.setattr(browser.shutil, "which", str)
    steps: list[list[str]] = []

    def run(command: list[str], _log: Path) -> None:
        steps.append(command)

    monkeypatch.setattr(browser, "run_step", run)
    said: list[str] = []
    browser.install(said.append)
    assert said[0] == "installing chromium (60 s)"
    assert steps == [
        ["apt-get", "update"],
        ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
    ]
