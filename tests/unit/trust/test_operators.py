"""Operators who prove themselves with a password."""

import asyncio
from pathlib import Path

import pytest

from fastagi_server.identities.identity import Identity, Scope
from fastagi_server.identities.passwords import PasswordHash, make_line
from fastagi_server.identities.proofs import AccountsBusyError
from fastagi_server.trust import operators as module
from fastagi_server.trust.errors import TrustError
from fastagi_server.trust.operators import Operators

OLGA = Identity("olga", frozenset({Scope.OPERATOR}))
LINE = make_line("olga", "correct horse")
PASSWORD = b"correct horse"


class _Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with one operator."""
    path = tmp_path / "operators"
    path.write_text(LINE + "\n")
    return path


async def test_right_password(path: Path) -> None:
    """The right password makes an operator, who is remembered for a minute."""
    clock = _Clock()
    operators = Operators(path, clock=clock)
    assert operators.remembered(b"olga", PASSWORD) is None
    found = await operators.check(b"olga", PASSWORD)
    assert found == OLGA
    assert found is not None
    assert found.credential == "password"
    clock.seconds = 59.9
    assert operators.remembered(b"olga", PASSWORD) == OLGA
    clock.seconds = 60.0
    assert operators.remembered(b"olga", PASSWORD) is None


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (b"olga", b"wrong"),
        (b"olga", b""),
        (b"", b""),
        (b"otto", PASSWORD),
        (b"OLGA", PASSWORD),
        (b"\xff", PASSWORD),
        (b"olga", PASSWORD + b"\x00"),
        (b"olga", b"x" * 2000),
    ],
)
async def test_wrong_password(path: Path, name: bytes, password: bytes) -> None:
    """A wrong name or password is nobody, and is not remembered."""
    operators = Operators(path)
    assert await operators.check(name, password) is None
    assert operators.remembered(name, password) is None


async def test_unknown_name_costs_as_much(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no operator has is hashed like one that somebody has."""
    hashed: list[bytes] = []

    def matches(self: PasswordHash, password: bytes) -> bool:
        hashed.append(password)
        return False

    monkeypatch.setattr(PasswordHash, "matches", matches)
    operators = Operators(path)
    await operators.check(b"olga", b"a")
    await operators.check(b"otto", b"b")
    assert hashed == [b"a", b"b"]


async def test_operator_who_left(path: Path) -> None:
    """An operator whose line is gone is nobody a second later, remembered or not."""
    clock = _Clock()
    operators = Operators(path, clock=clock)
    await operators.check(b"olga", PASSWORD)
    assert operators.remembered(b"olga", PASSWORD) == OLGA
    path.write_text("# nobody is left\n")  # noqa: ASYNC240 - a small local file
    clock.seconds = 1.0
    assert operators.remembered(b"olga", PASSWORD) is None
    assert await operators.check(b"olga", PASSWORD) is None


async def test_too_many_checks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many passwords are in check at once; more are refused rather than queued."""
    monkeypatch.setattr(module, "MAX_CHECKS", 2)
    operators = Operators(path)
    answers = await asyncio.gather(
        *(operators.check(b"olga", PASSWORD) for _ in range(3)), return_exceptions=True
    )
    assert answers[:2] == [OLGA, OLGA]
    assert isinstance(answers[2], AccountsBusyError)
    assert await operators.check(b"olga", PASSWORD) == OLGA


async def test_memory_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many passwords are remembered, they are checked again rather than kept."""
    monkeypatch.setattr(module, "MAX_REMEMBERED", 1)
    path.write_text(f"{LINE}\n{make_line('otto', 'battery staple')}\n")  # noqa: ASYNC240 - a small local file
    operators = Operators(path)
    assert operators.remembered(b"", b"") is None
    await operators.check(b"olga", PASSWORD)
    await operators.check(b"otto", b"battery staple")
    assert operators.remembered(b"olga", PASSWORD) is None
    assert operators.remembered(b"otto", b"battery staple") is not None


def test_bad_file(tmp_path: Path) -> None:
    """A file that holds something else is refused at the start, without repeating it."""
    path = tmp_path / "operators"
    path.write_text("olga:password\n")
    with pytest.raises(TrustError, match="operators: line 1 is no account") as refusal:
        Operators(path)
    assert "password" not in str(refusal.value).partition("operators: ")[2].partition(":")[0]
