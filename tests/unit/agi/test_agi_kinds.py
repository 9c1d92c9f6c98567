"""The facts about the 47 commands of agi.md 1.7 that the state machine needs."""

import pytest

from fastagi_server.agi.command import KINDS, CommandKind, WhenInterrupted

DEAD_SAFE = {
    "ASYNCAGI BREAK",
    "DATABASE DEL",
    "DATABASE DELTREE",
    "DATABASE GET",
    "DATABASE PUT",
    "EXEC",
    "GET FULL VARIABLE",
    "GET VARIABLE",
    "NOOP",
    "SET VARIABLE",
    "SPEECH DESTROY",
    "SPEECH UNLOAD GRAMMAR",
    "VERBOSE",
}
LIVE_ONLY = {
    "ANSWER",
    "CHANNEL STATUS",
    "CONTROL STREAM FILE",
    "GET DATA",
    "GET OPTION",
    "GOSUB",
    "HANGUP",
    "RECEIVE CHAR",
    "RECEIVE TEXT",
    "RECORD FILE",
    "SAY ALPHA",
    "SAY DATE",
    "SAY DATETIME",
    "SAY DIGITS",
    "SAY NUMBER",
    "SAY PHONETIC",
    "SAY TIME",
    "SEND IMAGE",
    "SEND TEXT",
    "SET AUTOHANGUP",
    "SET CALLERID",
    "SET CONTEXT",
    "SET EXTENSION",
    "SET MUSIC",
    "SET PRIORITY",
    "SPEECH ACTIVATE GRAMMAR",
    "SPEECH CREATE",
    "SPEECH DEACTIVATE GRAMMAR",
    "SPEECH LOAD GRAMMAR",
    "SPEECH RECOGNIZE",
    "SPEECH SET",
    "STREAM FILE",
    "TDD MODE",
    "WAIT FOR DIGIT",
}


@pytest.mark.parametrize("name", sorted(DEAD_SAFE | LIVE_ONLY))
def test_what_a_dead_channel_allows(name: str) -> None:
    """Column D of the table, as `agi show commands` of Asterisk 22 prints it."""
    assert KINDS[name].dead_safe is (name in DEAD_SAFE)


def test_the_two_halves_are_the_whole_table() -> None:
    """No command is left out of the lists above."""
    assert set(KINDS) == DEAD_SAFE | LIVE_ONLY
    assert not DEAD_SAFE & LIVE_ONLY


def test_what_a_new_line_does_to_a_running_command() -> None:
    """Three playbacks stop without a reply, WAIT FOR DIGIT stops with one, the rest go on."""
    stopped = {
        kind.name: kind.when_interrupted
        for kind in KINDS.values()
        if kind.when_interrupted is not WhenInterrupted.FINISHES
    }
    assert stopped == {
        "STREAM FILE": WhenInterrupted.STOPS_SILENTLY,
        "GET DATA": WhenInterrupted.STOPS_SILENTLY,
        "GET OPTION": WhenInterrupted.STOPS_SILENTLY,
        "WAIT FOR DIGIT": WhenInterrupted.STOPS_AND_REPLIES,
    }


def test_whose_replies_hold_values() -> None:
    """Four commands answer `(text)` with any text, newlines included."""
    assert {kind.name for kind in KINDS.values() if kind.holds_value} == {
        "DATABASE GET",
        "GET FULL VARIABLE",
        "GET VARIABLE",
        "RECEIVE TEXT",
    }


def test_whose_replies_need_a_quick_acknowledgement() -> None:
    """Commands that answer after a wait or in two writes, where 40 ms can be lost."""
    assert {kind.name for kind in KINDS.values() if kind.answers_late} == {
        "CONTROL STREAM FILE",
        "EXEC",
        "GET DATA",
        "GET OPTION",
        "GOSUB",
        "RECEIVE CHAR",
        "RECEIVE TEXT",
        "RECORD FILE",
        "SAY ALPHA",
        "SAY DATE",
        "SAY DATETIME",
        "SAY DIGITS",
        "SAY NUMBER",
        "SAY PHONETIC",
        "SAY TIME",
        "SPEECH RECOGNIZE",
        "STREAM FILE",
        "WAIT FOR DIGIT",
    }


def test_a_kind_defaults_to_the_careful_side() -> None:
    """A row of the table without flags is refused on a dead channel and never interrupted."""
    kind = CommandKind("X")
    assert (kind.dead_safe, kind.holds_value, kind.answers_late) == (False, False, False)
    assert kind.when_interrupted is WhenInterrupted.FINISHES
