"""A file that is read again when it has changed."""

import os
from pathlib import Path

import pytest

from fastagi_server.trust import files
from fastagi_server.trust.errors import TrustError
from fastagi_server.trust.files import WatchedFile


class _Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def watch(path: Path, clock: _Clock) -> WatchedFile[int]:
    """The number in a file."""
    return WatchedFile(path, int, clock=clock)


def write(path: Path, text: str) -> None:
    """Replace the file, so that it cannot look the same."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def test_changed_file(tmp_path: Path) -> None:
    """A change is seen a second after the last look, not sooner."""
    path, clock = tmp_path / "number", _Clock()
    path.write_text("1")
    number = watch(path, clock)
    write(path, "2")
    clock.seconds = 0.9
    assert number.value() == 1
    clock.seconds = 1.0
    assert number.value() == 2


def test_wrong_or_missing_later(tmp_path: Path) -> None:
    """A file that becomes wrong or goes away leaves the last value, until it is right again."""
    path, clock = tmp_path / "number", _Clock()
    path.write_text("1")
    number = watch(path, clock)
    write(path, "not a number")
    clock.seconds = 1.0
    assert number.value() == 1
    path.unlink()
    clock.seconds = 2.0
    assert number.value() == 1
    path.write_text("3")
    clock.seconds = 3.0
    assert number.value() == 3


def test_unchanged_file_is_not_parsed_again(tmp_path: Path) -> None:
    """The same value is given as long as the file stays as it is."""
    path, clock = tmp_path / "list", _Clock()
    path.write_text("a")
    watched = WatchedFile(path, lambda content: [content], clock=clock)
    first = watched.value()
    clock.seconds = 5.0
    assert watched.value() is first


def test_faults_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is missing, wrong or too large is an error that names it."""
    with pytest.raises(TrustError, match="missing: No such file"):
        watch(tmp_path / "missing", _Clock())
    wrong = tmp_path / "wrong"
    wrong.write_text("x")
    with pytest.raises(TrustError, match="wrong: invalid literal"):
        watch(wrong, _Clock())
    monkeypatch.setattr(files, "SIZE_LIMIT_BYTES", 3)
    wrong.write_text("1234")
    with pytest.raises(TrustError, match="wrong has more than 3 bytes"):
        watch(wrong, _Clock())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    """A file that may not be read is an error that says so."""
    path = tmp_path / "secret"
    path.write_text("1")
    path.chmod(0)
    with pytest.raises(TrustError, match="Permission denied"):
        watch(path, _Clock())
