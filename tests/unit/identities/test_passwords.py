"""Operators' accounts, and what is kept of their passwords."""

import re

import pytest

from fastagi_server.identities.passwords import (
    NOBODY,
    AccountError,
    PasswordHash,
    make_line,
    read_accounts,
)

LINE = "olga:scrypt$14$8$1$AAECAwQFBgcICQoLDA0ODw==$JbN2hANm9NOw4h5BRHZnbjzQ6Jr0QwNWojTOC2WgIbU="


def test_published_example() -> None:
    """The hash is that of RFC 7914, section 12, as far as it is kept."""
    digest = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    account = PasswordHash(14, 8, 1, b"SodiumChloride", bytes.fromhex(digest))
    assert account.matches(b"pleaseletmein")
    assert not account.matches(b"pleaseletmeIn")


def test_a_line_and_its_password() -> None:
    """A line that was made is read again, and only its password fits."""
    account = read_accounts(make_line("olga", "correct horse").encode())["olga"]
    assert account.matches(b"correct horse")
    assert not account.matches(b"correct horsf")
    assert not account.matches(b"")


def test_lines_never_look_alike() -> None:
    """Two lines of one password have salts of their own and do not show it."""
    first, second = make_line("olga", "correct horse"), make_line("olga", "correct horse")
    assert first != second
    assert "correct" not in first
    assert re.fullmatch(r"olga:scrypt\$14\$8\$1\$[A-Za-z0-9+/]{22}==\$[A-Za-z0-9+/]{43}=", first)


def test_file() -> None:
    """Comments and empty lines count for nothing."""
    other = LINE.replace("olga", "otto")
    accounts = read_accounts(f"# operators\n\n{LINE}\r\n  {other}\n".encode())
    assert set(accounts) == {"olga", "otto"}
    assert accounts["otto"].matches(b"correct horse")


def test_nobody() -> None:
    """What unknown names are compared with fits no password that could be sent."""
    assert not NOBODY.matches(b"")
    assert not NOBODY.matches(b"\x00" * 32)


@pytest.mark.parametrize(
    "line",
    [
        "olga",
        "olga:",
        "olga:password",
        ":" + LINE.partition(":")[2],
        LINE.replace("scrypt", "bcrypt"),
        LINE.replace("$14$", "$40$"),
        LINE.replace("$14$", "$0$"),
        LINE.replace("$14$", "$x$"),
        LINE.replace("$8$", "$4096$"),
        LINE.replace("$8$1$", "$8$99$"),
        LINE.replace("AAECAwQFBgcICQoLDA0ODw==", "AA=="),
        LINE.replace("AAECAwQFBgcICQoLDA0ODw==", "!!!"),
        LINE[:-8],
        LINE + "$x",
        LINE + "\n" + LINE,
        "ölga:" + LINE.partition(":")[2],
    ],
)
def test_bad_line(line: str) -> None:
    """A line that is wrong, weak, or would cost the server too much is named, not repeated."""
    with pytest.raises(AccountError, match=r"^line \d is no account") as refusal:
        read_accounts(line.encode())
    assert "AAEC" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "password"),
    [("", "correct horse"), ("a:b", "correct horse"), ("a b", "correct horse"), ("olga", "short")],
)
def test_bad_account(name: str, password: str) -> None:
    """A name that cannot be sent, or a password of less than eight characters, is refused."""
    with pytest.raises(AccountError):
        make_line(name, password)
    with pytest.raises(AccountError):
        make_line("olga", "x" * 1025)
