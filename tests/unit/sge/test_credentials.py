"""Tokens and keys: read, read again, never shown."""

import os
from pathlib import Path

import pytest

from fastagi_server.sge.credentials import FileCredentials, open_credentials
from fastagi_server.sge.errors import CredentialError


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def replace_file(path: Path, text: str) -> None:
    """Write a file as careful programs do: aside, then into its place."""
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.rename(path)


def test_token_goes_into_authorization() -> None:
    """A bearer token has the header that its name says."""
    assert open_credentials("bearer", value=" abc.def \n").header() == (
        b"Authorization",
        b"Bearer abc.def",
    )


def test_key_goes_into_its_own_header() -> None:
    """An API key has the header of the contract."""
    assert open_credentials("api_key", value="abc").header() == (b"X-API-Key", b"abc")


@pytest.mark.parametrize("value", [None, ""])
def test_without_credential_there_is_no_header(value: str | None) -> None:
    """An API that asks for none gets none."""
    credentials = open_credentials("bearer", value=value)
    assert credentials.header() is None
    assert not credentials.changed()


@pytest.mark.parametrize("value", ["a b", "a\r\nX: y", "ü", " "])
def test_what_does_not_fit_in_a_header_is_refused(value: str) -> None:
    """Nothing in a credential can add a header, and the error does not quote it."""
    with pytest.raises(CredentialError) as raised:
        open_credentials("bearer", value=value)
    assert value not in str(raised.value) or value == " "


def test_file_goes_before_a_value(tmp_path: Path) -> None:
    """A file, such as a systemd credential, wins."""
    (tmp_path / "token").write_text("from-file\n")
    credentials = open_credentials("api_key", value="from-value", path=tmp_path / "token")
    assert credentials.header() == (b"X-API-Key", b"from-file")


def test_changed_file_is_read_again_within_a_second(tmp_path: Path) -> None:
    """A renewed token is in use a second later at most, without a look at every request."""
    clock, path = Clock(), tmp_path / "token"
    path.write_text("one")
    credentials = FileCredentials("bearer", path, clock=clock)
    replace_file(path, "two")
    clock.now = 0.9
    assert credentials.header() == (b"Authorization", b"Bearer one")
    clock.now = 1.0
    assert credentials.header() == (b"Authorization", b"Bearer two")


def test_refusal_forces_a_look(tmp_path: Path) -> None:
    """After a 401 the file is read at once, even if it looks the same."""
    path = tmp_path / "token"
    path.write_text("one")
    credentials = FileCredentials("bearer", path, clock=Clock())
    assert not credentials.changed()
    stat = path.stat()
    path.write_text("two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert credentials.changed()
    assert credentials.header() == (b"Authorization", b"Bearer two")


def test_lost_file_leaves_the_last_credential(tmp_path: Path) -> None:
    """A file that is missing or empty for a moment does not stop the calls."""
    clock, path = Clock(), tmp_path / "token"
    path.write_text("one")
    credentials = FileCredentials("bearer", path, clock=clock)
    path.unlink()
    clock.now = 1.0
    assert credentials.header() == (b"Authorization", b"Bearer one")
    path.write_text("")
    clock.now = 2.0
    assert credentials.header() == (b"Authorization", b"Bearer one")
    assert not credentials.changed()
    path.write_text("two")
    clock.now = 3.0
    assert credentials.header() == (b"Authorization", b"Bearer two")


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff\xfe", b"x" * 20_000])
def test_unusable_file_is_an_error_at_the_start(tmp_path: Path, content: bytes) -> None:
    """A file without a usable credential is named; its content is not."""
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(CredentialError, match="token") as raised:
        open_credentials("bearer", path=path)
    assert "words" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_missing_file_is_an_error_at_the_start(tmp_path: Path) -> None:
    """A path that leads nowhere is said to."""
    with pytest.raises(CredentialError, match="No such file"):
        open_credentials("bearer", path=tmp_path / "token")


def test_directory_is_an_error_at_the_start(tmp_path: Path) -> None:
    """A path to something that cannot be read is said to be one."""
    with pytest.raises(CredentialError, match="directory"):
        open_credentials("bearer", path=tmp_path)


def test_credentials_are_not_shown(tmp_path: Path) -> None:
    """Neither a log line nor a debugger's print of the object holds the secret."""
    path = tmp_path / "token"
    path.write_text("s3cret")
    assert "s3cret" not in repr(open_credentials("bearer", path=path))
    assert "s3cret" not in repr(open_credentials("bearer", value="s3cret"))
