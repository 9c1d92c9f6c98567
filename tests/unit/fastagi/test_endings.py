"""Endings: the variables of each, and what `on_error` says."""

import re
from typing import Any

import pytest

from fastagi_server.agi.errors import AgiGuardError
from fastagi_server.fastagi.endings import (
    CONTINUE,
    FAILURE,
    TEXTS,
    Ending,
    OnError,
    completed,
    failed,
)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("continue", OnError("continue")),
        (" failure ", OnError("failure")),
        ("goto:ctx,1001,n", OnError("goto", "ctx", "1001", "n")),
        ("goto: ctx , s , 1 ", OnError("goto", "ctx", "s", "1")),
    ],
)
def test_policy_from_text(text: str, policy: OnError) -> None:
    """The three words, and a target for the third."""
    assert OnError.from_text(text) == policy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "explode",
        "Failure",
        "continue:ctx",
        "failure:",
        "goto",
        "goto:",
        "goto:ctx",
        "goto:ctx,s",
        "goto:ctx,s,1,2",
        "goto:ctx,,1",
    ],
)
def test_bad_policy(text: str) -> None:
    """Anything else is refused with the words there are."""
    with pytest.raises(ValueError, match=r"none of: continue, failure, goto:context"):
        OnError.from_text(text)


def test_policy_that_cannot_be_written() -> None:
    """A target that Asterisk would misread is refused when it is read, not when it is needed."""
    with pytest.raises(ValueError, match="newline"):
        OnError.from_text("goto:a\nb,s,1")
    with pytest.raises(AgiGuardError):
        OnError("goto", "ctx", "s\0", "1")


def test_commands_of_a_policy() -> None:
    """Only `goto` has something to say to Asterisk before the end."""
    assert [c.line for c in OnError("goto", "ctx", "s", "1").commands()] == [
        b'SET CONTEXT "ctx"\n',
        b'SET EXTENSION "s"\n',
        b'SET PRIORITY "1"\n',
    ]
    assert CONTINUE.commands() == []
    assert FAILURE.commands() == []


@pytest.mark.parametrize(
    ("returned", "variables"),
    [
        (None, {"SGE_STATUS": "OK", "SGE_ERROR": "", "SGE_ERROR_CODE": ""}),
        ({}, {"SGE_STATUS": "OK", "SGE_ERROR": "", "SGE_ERROR_CODE": ""}),
        ({"X": "1"}, {"SGE_STATUS": "OK", "SGE_ERROR": "", "SGE_ERROR_CODE": "", "X": "1"}),
        (
            {"SGE_STATUS": "QUEUED", "SGE_ERROR_CODE": "api_error"},
            {"SGE_STATUS": "QUEUED", "SGE_ERROR": "", "SGE_ERROR_CODE": "api_error"},
        ),
    ],
)
def test_completed(returned: Any, variables: dict[str, str]) -> None:
    """The three variables are always set: those of an earlier session must not stay."""
    ending = completed(returned)
    assert ending.outcome == "completed"
    assert ending.variables == variables


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (0, "a route returns a mapping or None, not int"),
        ([("X", "1")], "a route returns a mapping or None, not list"),
        ({"X": 1}, "the channel variable 'X' is a int, not text"),
        ({"X": b"1"}, "the channel variable 'X' is a bytes, not text"),
        ({1: "X"}, "the channel variable 1 is a str, not text"),
    ],
)
def test_completed_by_something_else(returned: Any, words: str) -> None:
    """What is no mapping of text to text is a bug of the route."""
    with pytest.raises(TypeError, match=re.escape(words)):
        completed(returned)


@pytest.mark.parametrize("code", TEXTS)
def test_failed(code: str) -> None:
    """Each code has its text, and is its own outcome."""
    ending = failed(code)
    assert ending.outcome == ending.code == code
    assert ending.variables == {
        "SGE_STATUS": "FAILED",
        "SGE_ERROR": TEXTS[code],
        "SGE_ERROR_CODE": code,
    }
    assert ending.failed


def test_status_is_set_last() -> None:
    """Whoever sees SGE_STATUS can rely on the variables that go with it."""
    ending = completed({"SGE_CALL_ID": "c1", "SGE_STATUS": "REGISTERED", "SGE_CHANNEL_ID": "17.4"})
    assert ending.assignments == [
        ("SGE_ERROR", ""),
        ("SGE_ERROR_CODE", ""),
        ("SGE_CALL_ID", "c1"),
        ("SGE_CHANNEL_ID", "17.4"),
        ("SGE_STATUS", "REGISTERED"),
    ]


def test_texts_are_stable_words() -> None:
    """Codes are snake case, texts short; neither could break a dialplan expression."""
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", code) for code in TEXTS)
    assert all(re.fullmatch(r"[A-Z][A-Za-z ]{4,30}", text) for text in TEXTS.values())


@pytest.mark.parametrize(
    ("status", "is_failed"),
    [("OK", False), ("REGISTERED", False), ("QUEUED", False), ("REFUSED", True), ("FAILED", True)],
)
def test_what_counts_as_failed(status: str, *, is_failed: bool) -> None:
    """QUEUED is no failure: the call goes on and will be told."""
    assert completed({"SGE_STATUS": status}).failed is is_failed


def test_ending_without_variables() -> None:
    """A session that ended before any route has neither status nor code."""
    ending = Ending("disconnected")
    assert not ending.failed
    assert ending.code == ""
