"""Answers of Asterisk that are shared among those who ask."""

import pytest

from fastagi_server.api.asterisk_view import Shared
from fastagi_server.ari.errors import AriUnreachableError


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The present moment."""
        return self.now


class Question:
    """Answers with how often it was asked, or fails."""

    def __init__(self) -> None:
        self.times = 0
        self.error: AriUnreachableError | None = None

    async def __call__(self) -> list[int]:
        """Answer, or fail."""
        self.times += 1
        if self.error is not None:
            raise self.error
        return [self.times]


async def test_answer_is_shared_for_a_second() -> None:
    """An answer is given again for less than a second, then the question is asked anew."""
    clock, question = Clock(), Question()
    shared = Shared(question, clock)
    assert await shared.get() == b"[1]"
    clock.now += 0.99
    assert await shared.get() == b"[1]"
    clock.now += 0.01
    assert await shared.get() == b"[2]"
    assert question.times == 2


async def test_refusal_is_shared_for_a_second() -> None:
    """A refusal is given again like an answer, and forgotten when Asterisk answers again."""
    clock, question = Clock(), Question()
    shared = Shared(question, clock)
    question.error = AriUnreachableError("away")
    for _ in range(3):
        with pytest.raises(AriUnreachableError, match="away"):
            await shared.get()
    assert question.times == 1
    question.error = None
    clock.now += 1.0
    assert await shared.get() == b"[2]"


async def test_shared_refusal_does_not_grow() -> None:
    """A refusal that is raised again and again does not collect where it was raised."""
    clock, question = Clock(), Question()
    shared = Shared(question, clock)
    question.error = AriUnreachableError("away")
    depths: list[int] = []
    for _ in range(5):
        with pytest.raises(AriUnreachableError) as raised:
            await shared.get()
        depths.append(len(raised.traceback))
    assert len(set(depths[1:])) == 1
