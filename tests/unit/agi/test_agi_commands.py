"""The 47 commands of agi.md 1.7: what each writes, and what the table says of it."""

from typing import Any

import pytest

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import KINDS, Command, command
from fastagi_server.agi.errors import AgiGuardError
from fastagi_server.agi.results import nothing

LINES: list[tuple[Command[Any], bytes]] = [
    (agi.answer(), b"ANSWER\n"),
    (agi.asyncagi_break(), b"ASYNCAGI BREAK\n"),
    (agi.channel_status(), b"CHANNEL STATUS\n"),
    (agi.channel_status("PJSIP/1001-1"), b'CHANNEL STATUS "PJSIP/1001-1"\n'),
    (agi.control_stream_file("f"), b'CONTROL STREAM FILE "f" "" 3000 "#" "*" "" 0\n'),
    (
        agi.control_stream_file("f", "1", 500, "6", "4", "5", 20),
        b'CONTROL STREAM FILE "f" "1" 500 "6" "4" "5" 20\n',
    ),
    (agi.database_del("f", "k"), b'DATABASE DEL "f" "k"\n'),
    (agi.database_deltree("f"), b'DATABASE DELTREE "f"\n'),
    (agi.database_deltree("f", "t"), b'DATABASE DELTREE "f" "t"\n'),
    (agi.database_get("f", "k"), b'DATABASE GET "f" "k"\n'),
    (agi.database_put("f", "k", ""), b'DATABASE PUT "f" "k" ""\n'),
    (agi.execute("NoOp"), b'EXEC "NoOp" ""\n'),
    (agi.execute("Dial", "PJSIP/1001,30"), b'EXEC "Dial" "PJSIP/1001,30"\n'),
    (agi.get_data("f"), b'GET DATA "f" 6000 1024\n'),
    (agi.get_data("f", 1001, 4), b'GET DATA "f" 1001 4\n'),
    (agi.get_full_variable("${X}"), b'GET FULL VARIABLE "${X}"\n'),
    (agi.get_full_variable("${X}", "SIP/1"), b'GET FULL VARIABLE "${X}" "SIP/1"\n'),
    (agi.get_option("f", "12"), b'GET OPTION "f" "12"\n'),
    (agi.get_option("f", "12", 0), b'GET OPTION "f" "12" 0\n'),
    (agi.get_variable("CHANNEL(linkedid)"), b'GET VARIABLE "CHANNEL(linkedid)"\n'),
    (agi.gosub("c", "s", 1), b'GOSUB "c" "s" "1"\n'),
    (agi.gosub("c", "s", "label", "a,b"), b'GOSUB "c" "s" "label" "a,b"\n'),
    (agi.hangup(), b"HANGUP\n"),
    (agi.hangup("SIP/1"), b'HANGUP "SIP/1"\n'),
    (agi.mset({"A": "1", "B": "x, (y)"}), b'EXEC "MSet" "A=1,B=x\\\\, \\\\(y\\\\)"\n'),
    (agi.mset({"A": "${B}"}), b'EXEC "MSet" "A=$\\\\{B\\\\}"\n'),
    (agi.noop(), b"NOOP\n"),
    (agi.noop("a b"), b'NOOP "a b"\n'),
    (agi.receive_char(500), b"RECEIVE CHAR 500\n"),
    (agi.receive_text(500), b"RECEIVE TEXT 500\n"),
    (agi.record_file("f", "wav", "#", -1), b'RECORD FILE "f" "wav" "#" -1\n'),
    (
        agi.record_file("f", "wav", "", 9, offset_samples=8, beep=True, silence_seconds=2),
        b'RECORD FILE "f" "wav" "" 9 8 "BEEP" "s=2"\n',
    ),
    (agi.say_alpha("ab"), b'SAY ALPHA "ab" ""\n'),
    (agi.say_alpha("aB", "1", "upper"), b'SAY ALPHA "aB" "1" "u"\n'),
    (agi.say_date(0), b'SAY DATE 0 ""\n'),
    (agi.say_datetime(0), b'SAY DATETIME 0 ""\n'),
    (agi.say_datetime(0, "#", "HM"), b'SAY DATETIME 0 "#" "HM"\n'),
    (agi.say_datetime(0, "", "HM", "UTC"), b'SAY DATETIME 0 "" "HM" "UTC"\n'),
    (
        agi.say_datetime(0, timezone="UTC"),
        b'SAY DATETIME 0 "" "ABdY \'digits/at\' IMp" "UTC"\n',
    ),
    (agi.say_digits("0123"), b'SAY DIGITS "0123" ""\n'),
    (agi.say_number(-7), b'SAY NUMBER -7 ""\n'),
    (agi.say_number(7, "1", "f"), b'SAY NUMBER 7 "1" "f"\n'),
    (agi.say_phonetic("ab"), b'SAY PHONETIC "ab" ""\n'),
    (agi.say_time(0), b'SAY TIME 0 ""\n'),
    (agi.send_image("logo"), b'SEND IMAGE "logo"\n'),
    (agi.send_text('say "hi"'), b'SEND TEXT "say \\"hi\\""\n'),
    (agi.set_autohangup(0), b"SET AUTOHANGUP 0\n"),
    (agi.set_autohangup(2.5), b"SET AUTOHANGUP 2.5\n"),
    (agi.set_callerid("Ann <1001>"), b'SET CALLERID "Ann <1001>"\n'),
    (agi.set_context("c"), b'SET CONTEXT "c"\n'),
    (agi.set_extension("s"), b'SET EXTENSION "s"\n'),
    (agi.set_music(on=True), b'SET MUSIC "on"\n'),
    (agi.set_music(on=False, music_class="jazz"), b'SET MUSIC "off" "jazz"\n'),
    (agi.set_priority(3), b"SET PRIORITY 3\n"),
    (agi.set_priority("label"), b'SET PRIORITY "label"\n'),
    (agi.set_variable("CALLERID(name)", "Zoë"), b'SET VARIABLE "CALLERID(name)" "Zo\xc3\xab"\n'),
    (agi.set_variable("X", "H\udce9"), b'SET VARIABLE "X" "H\xe9"\n'),
    (agi.set_variable("X", "${Y}"), b'SET VARIABLE "X" "${Y}"\n'),
    (agi.speech_activate_grammar("g"), b'SPEECH ACTIVATE GRAMMAR "g"\n'),
    (agi.speech_create("e"), b'SPEECH CREATE "e"\n'),
    (agi.speech_deactivate_grammar("g"), b'SPEECH DEACTIVATE GRAMMAR "g"\n'),
    (agi.speech_destroy(), b"SPEECH DESTROY\n"),
    (agi.speech_load_grammar("g", "p"), b'SPEECH LOAD GRAMMAR "g" "p"\n'),
    (agi.speech_recognize("f", 5), b'SPEECH RECOGNIZE "f" 5\n'),
    (agi.speech_recognize("f", 5, 80), b'SPEECH RECOGNIZE "f" 5 80\n'),
    (agi.speech_set("n", "v"), b'SPEECH SET "n" "v"\n'),
    (agi.speech_unload_grammar("g"), b'SPEECH UNLOAD GRAMMAR "g"\n'),
    (agi.stream_file("f"), b'STREAM FILE "f" ""\n'),
    (agi.stream_file("f", "0#", 80), b'STREAM FILE "f" "0#" 80\n'),
    (agi.tdd_mode("mate"), b'TDD MODE "mate"\n'),
    (agi.verbose("a"), b'VERBOSE "a" 1\n'),
    (agi.verbose("a", 3), b'VERBOSE "a" 3\n'),
    (agi.wait_for_digit(-1), b"WAIT FOR DIGIT -1\n"),
]


@pytest.mark.parametrize(
    ("built", "line"), LINES, ids=[line.decode("ascii", "replace").strip() for _, line in LINES]
)
def test_each_command_writes_one_whole_line(built: Command[Any], line: bytes) -> None:
    """Texts are quoted, empty ones too; numbers are not; the line ends with one newline."""
    assert built.line == line


def test_every_command_of_the_table_is_written_by_a_builder() -> None:
    """46 commands in res_agi.c and GOSUB in app_stack.c, none without a typed function."""
    assert len(KINDS) == 47
    assert {built.kind.name for built, _ in LINES} == set(KINDS)


def test_the_builders_are_exactly_those_the_package_names() -> None:
    """47 builders, of which `mset` is an EXEC and the others one command each."""
    builders = {name for name in agi.__all__ if callable(getattr(agi, name))}
    assert len(builders) == len(agi.__all__) == 48


@pytest.mark.parametrize(
    ("built", "seconds"),
    [
        (agi.noop(), 5.0),
        (agi.set_variable("X", "1"), 5.0),
        (agi.answer(), 60.0),
        (agi.wait_for_digit(2500), 7.5),
        (agi.wait_for_digit(0), 5.0),
        (agi.wait_for_digit(-1), None),
        (agi.receive_char(2500), 7.5),
        (agi.receive_char(0), None),
        (agi.receive_text(0), None),
        (agi.record_file("f", "wav", "", 30000), 35.0),
        (agi.record_file("f", "wav", "", -1), None),
        (agi.stream_file("f"), 600.0),
        (agi.say_digits("1"), 600.0),
        (agi.get_data("f", 3000, 4), 617.0),
        (agi.get_data("f", 500, 4), 613.0),
        (agi.get_data("f"), 989.0),
        (agi.get_data("f", -1), None),
        (agi.get_option("f", "1"), 610.0),
        (agi.get_option("f", "1", 2000), 607.0),
        (agi.speech_recognize("f", 10), 615.0),
        (agi.speech_recognize("f", 0), None),
        (agi.execute("Dial", "PJSIP/1001"), None),
        (agi.execute("Wait", "1", seconds=3.0), 3.0),
        (agi.gosub("c", "s", 1), None),
    ],
)
def test_how_long_a_reply_may_take(built: Command[Any], seconds: float | None) -> None:
    """The command's own time-out and a grace of five seconds; None where nobody can know."""
    assert built.seconds == seconds


@pytest.mark.parametrize("code", [0x0A, 0x0D, 0x00, 0xD800, 0xDC0A, 0xDFFF])
def test_what_has_no_bytes_on_the_wire_is_refused(code: int) -> None:
    """Line ends and NUL would hurt the PBX; a surrogate that stands for no byte cannot be sent."""
    with pytest.raises(AgiGuardError):
        agi.set_variable("X", f"a{chr(code)}b")


def test_126_words_are_the_most_that_are_sent() -> None:
    """More than 127 quoted words overwrite Asterisk's stack (asterisk #2069)."""
    words = ["x"] * 125
    assert command("NOOP", *words, parse=nothing).line.count(b'"x"') == 125
    with pytest.raises(AgiGuardError, match="would crash Asterisk"):
        command("NOOP", *words, "x", parse=nothing)


def test_the_words_of_the_name_count() -> None:
    """GET FULL VARIABLE is three of the 126 words."""
    words = ["x"] * 123
    assert command("GET FULL VARIABLE", *words, parse=nothing).line.endswith(b'"x"\n')
    with pytest.raises(AgiGuardError):
        command("GET FULL VARIABLE", *words, "x", parse=nothing)


def test_mset_takes_98_variables() -> None:
    """Asterisk 22 leaves the escapes of the 99th value in place: observed on 22.10."""
    variables = {f"V{number}": "a,b" for number in range(98)}
    assert agi.mset(variables).line.count(b"=a") == 98
    with pytest.raises(AgiGuardError, match="98 variables at most"):
        agi.mset({**variables, "V98": ""})


@pytest.mark.parametrize("name", ["A,B", "A=B", "SHELL(id)", "${X}", "A B"])
def test_a_variable_that_is_no_plain_name_is_never_written(name: str) -> None:
    """All builders that take the name of a variable check it."""
    with pytest.raises(AgiGuardError):
        agi.set_variable(name, "1")
    with pytest.raises(AgiGuardError):
        agi.get_variable(name)
    with pytest.raises(AgiGuardError):
        agi.mset({"OK": "1", name: "1"})


def test_exec_refuses_what_starts_a_program() -> None:
    """Neither the application nor a function or application in its options."""
    for application, options in (
        ("System", "id"),
        ("ExecIf", "1?System(id)"),
        ("Set", "X=${SHELL(id)}"),
    ):
        with pytest.raises(AgiGuardError):
            agi.execute(application, options)


def test_get_full_variable_refuses_dangerous_expressions() -> None:
    """An expression is checked as a whole."""
    with pytest.raises(AgiGuardError):
        agi.get_full_variable("${SHELL(id)}")
