"""What each documented reply of agi.md 1.7 becomes, and when a command raises instead."""

from typing import Any

import pytest

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import Command
from fastagi_server.agi.errors import AgiCommandError, AgiReplyError
from fastagi_server.agi.replies import parse_reply
from fastagi_server.agi.results import Digits, GosubResult, Playback, Recording, Speech


def read(built: Command[Any], line: str) -> object:
    """The value of a command that was answered with this line."""
    return built.read(parse_reply(line, holds_value=built.kind.holds_value))


SPEECH_TEXTS = '2 score0=900 text0="yes (a)" grammar0=g score1=10 text1="no digit=5" grammar1=g'

VALUES: list[tuple[Command[Any], str, object]] = [
    (agi.answer(), "200 result=0", None),
    (agi.asyncagi_break(), "200 result=0", None),
    (agi.channel_status(), "200 result=6", 6),
    (agi.channel_status(), "200 result=0", 0),
    (agi.control_stream_file("f"), "200 result=0 endpos=-1", Playback("", -1)),
    (agi.control_stream_file("f"), "200 result=35 endpos=1200", Playback("#", 1200)),
    (agi.database_del("f", "k"), "200 result=1", True),
    (agi.database_del("f", "k"), "200 result=0", False),
    (agi.database_deltree("f"), "200 result=0", True),
    (agi.database_deltree("f"), "200 result=1", False),
    (agi.database_get("f", "k"), "200 result=1 (a)b)", "a)b"),
    (agi.database_get("f", "k"), "200 result=1 ()", ""),
    (agi.database_get("f", "k"), "200 result=0", None),
    (agi.database_put("f", "k", "v"), "200 result=1", True),
    (agi.database_put("f", "k", "v"), "200 result=0", False),
    (agi.execute("NoOp"), "200 result=0", 0),
    (agi.execute("Hangup"), "200 result=-1", -1),
    (agi.execute("Nope"), "200 result=-2", -2),
    (agi.mset({"A": "1"}), "200 result=0", 0),
    (agi.get_data("f"), "200 result=123", Digits("123", timed_out=False)),
    (agi.get_data("f"), "200 result=12*#D (timeout)", Digits("12*#D", timed_out=True)),
    (agi.get_data("f"), "200 result= (timeout)", Digits("", timed_out=True)),
    (agi.get_data("f"), "200 result=", Digits("", timed_out=False)),
    (agi.get_full_variable("${X}"), "200 result=1 (text)", "text"),
    (agi.get_full_variable("${X}"), "200 result=1 ()", ""),
    (agi.get_full_variable("${X}"), "200 result=1 (a\nb)", "a\nb"),
    (agi.get_option("f", "1"), "200 result=49 endpos=800", Playback("1", 800)),
    (agi.get_option("f", "1"), "200 result=0 endpos=8000", Playback("", 8000)),
    (agi.get_variable("X"), "200 result=1 (v)", "v"),
    (agi.get_variable("X"), "200 result=1 ()", ""),
    (agi.get_variable("X"), "200 result=0", None),
    (agi.gosub("c", "s", 1), "200 result=0 Gosub complete", GosubResult(abnormal=False)),
    (
        agi.gosub("c", "s", 1),
        "200 result=0 Gosub complete (abnormal exit)",
        GosubResult(abnormal=True),
    ),
    (agi.hangup(), "200 result=1", None),
    (agi.noop(), "200 result=0", None),
    (agi.receive_char(1), "200 result=65", "A"),
    (agi.receive_char(1), "200 result=233", "é"),
    (agi.receive_char(1), "200 result=0 (timeout)", ""),
    (agi.receive_char(1), "200 result=-1 (hangup)", ""),
    (agi.receive_text(1), "200 result=1 (hi)", "hi"),
    (agi.receive_text(1), "200 result=1 (a\nb))", "a\nb)"),
    (agi.receive_text(1), "200 result=-1", None),
    (
        agi.record_file("f", "wav", "", 1),
        "200 result=35 (dtmf) endpos=160",
        Recording("dtmf", "#", 160),
    ),
    (
        agi.record_file("f", "wav", "", 1),
        "200 result=0 (timeout) endpos=160",
        Recording("timeout", "", 160),
    ),
    (
        agi.record_file("f", "wav", "", 1),
        "200 result=-1 (hangup) endpos=7",
        Recording("hangup", "", 7),
    ),
    (
        agi.record_file("f", "wav", "", 1),
        "200 result=-1 (waitfor) endpos=7",
        Recording("waitfor", "", 7),
    ),
    (
        agi.record_file("f", "wav", "", 1),
        "200 result=-1 (writefile)",
        Recording("writefile", "", 0),
    ),
    (
        agi.record_file("f", "wav", "", 1),
        "200 result=0 (randomerror) endpos=7",
        Recording("randomerror", "", 7),
    ),
    (agi.say_alpha("a"), "200 result=0", ""),
    (agi.say_date(0), "200 result=35", "#"),
    (agi.say_datetime(0), "200 result=42", "*"),
    (agi.say_digits("1"), "200 result=48", "0"),
    (agi.say_number(1), "200 result=57", "9"),
    (agi.say_phonetic("a"), "200 result=0", ""),
    (agi.say_time(0), "200 result=68", "D"),
    (agi.send_image("i"), "200 result=0", None),
    (agi.send_text("t"), "200 result=0", None),
    (agi.set_autohangup(0), "200 result=0", None),
    (agi.set_callerid("c"), "200 result=1", None),
    (agi.set_context("c"), "200 result=0", None),
    (agi.set_extension("e"), "200 result=0", None),
    (agi.set_music(on=True), "200 result=0", None),
    (agi.set_priority(1), "200 result=0", None),
    (agi.set_variable("X", "1"), "200 result=1", None),
    (agi.speech_activate_grammar("g"), "200 result=1", True),
    (agi.speech_create("e"), "200 result=0", False),
    (agi.speech_deactivate_grammar("g"), "200 result=1", True),
    (agi.speech_destroy(), "200 result=1", True),
    (agi.speech_load_grammar("g", "p"), "200 result=0", False),
    (agi.speech_set("n", "v"), "200 result=1", True),
    (agi.speech_unload_grammar("g"), "200 result=1", True),
    (
        agi.speech_recognize("f", 1),
        f"200 result=1 (speech) endpos=320 results={SPEECH_TEXTS}",
        Speech("speech", "", SPEECH_TEXTS, 320),
    ),
    (
        agi.speech_recognize("f", 1),
        "200 result=1 (speech) endpos=0 results=0 ",
        Speech("speech", "", "0 ", 0),
    ),
    (
        agi.speech_recognize("f", 1),
        "200 result=1 (digit) digit=5 endpos=80",
        Speech("digit", "5", "", 80),
    ),
    (agi.speech_recognize("f", 1), "200 result=1 (digit) endpos=80", Speech("digit", "", "", 80)),
    (agi.speech_recognize("f", 1), "200 result=1 (hangup) endpos=80", Speech("hangup", "", "", 80)),
    (
        agi.speech_recognize("f", 1),
        "200 result=1 (timeout) endpos=80",
        Speech("timeout", "", "", 80),
    ),
    (agi.speech_recognize("f", 1), "200 result=0", Speech("", "", "", 0)),
    (agi.stream_file("f"), "200 result=0 endpos=8000", Playback("", 8000)),
    (agi.stream_file("f"), "200 result=49 endpos=800", Playback("1", 800)),
    (agi.tdd_mode("on"), "200 result=1", True),
    (agi.tdd_mode("on"), "200 result=0", False),
    (agi.verbose("m"), "200 result=1", None),
    (agi.wait_for_digit(1), "200 result=0", ""),
    (agi.wait_for_digit(1), "200 result=53", "5"),
]


@pytest.mark.parametrize(
    ("built", "line", "value"), VALUES, ids=[f"{c.kind.name}: {line}" for c, line, _ in VALUES]
)
def test_each_documented_reply_has_its_value(built: Command[Any], line: str, value: object) -> None:
    """The reply forms of the table, each as a typed value."""
    assert read(built, line) == value


def test_every_command_has_a_reply_above() -> None:
    """None of the 47 is left without an expected value."""
    assert len({built.kind.name for built, _, _ in VALUES}) == 47


FAILURES: list[tuple[Command[Any], str, int, str]] = [
    (agi.answer(), "200 result=-1", 200, "-1"),
    (agi.channel_status("SIP/none"), "200 result=-1", 200, "-1"),
    (agi.control_stream_file("f"), "200 result=-1 endpos=0", 200, "-1"),
    (agi.database_get("f", "k"), "200 result=-1", 200, "-1"),
    (agi.get_data("f"), "200 result=-1", 200, "-1"),
    (agi.get_full_variable("${X}", "SIP/none"), "200 result=0", 200, "0"),
    (agi.get_option("f", "1"), "200 result=-1 endpos=0", 200, "-1"),
    (agi.gosub("c", "s", 1), "200 result=-1 Gosub label not found", 200, "-1"),
    (agi.gosub("c", "s", 1), "200 result=1 Gosub failed", 200, "1"),
    (agi.gosub("c", "s", 1), "503 result=-2 Memory allocation failure", 503, "-2"),
    (agi.hangup("SIP/none"), "200 result=-1", 200, "-1"),
    (agi.say_digits("1"), "200 result=-1", 200, "-1"),
    (agi.send_image("i"), "200 result=-1", 200, "-1"),
    (agi.send_text("t"), "200 result=-1", 200, "-1"),
    (agi.stream_file("f"), "200 result=-1 endpos=0", 200, "-1"),
    (agi.wait_for_digit(1), "200 result=-1", 200, "-1"),
    (agi.set_priority("x"), "520 Invalid command syntax.  Proper usage not available.", 520, ""),
    (
        agi.set_priority("x"),
        "520-Invalid command syntax.  Proper usage follows:\n520 End of proper usage.",
        520,
        "",
    ),
    (agi.speech_create("e"), "510 Invalid or unknown command", 510, ""),
    (
        agi.answer(),
        "511 Command Not Permitted on a dead channel or intercept routine",
        511,
        "",
    ),
    (agi.get_variable("X"), "510 Invalid or unknown command", 510, ""),
]


@pytest.mark.parametrize(
    ("built", "line", "code", "result"),
    FAILURES,
    ids=[f"{f[0].kind.name}: {f[2]}" for f in FAILURES],
)
def test_each_documented_failure_raises(
    built: Command[Any], line: str, code: int, result: str
) -> None:
    """Any code but 200 and every result that means failure is an `AgiCommandError`."""
    with pytest.raises(AgiCommandError) as caught:
        read(built, line)
    assert (caught.value.command, caught.value.code, caught.value.result) == (
        built.kind.name,
        code,
        result,
    )


@pytest.mark.parametrize(
    ("built", "line"),
    [
        (agi.answer(), "200 result=x"),
        (agi.answer(), "200 OK"),
        (agi.channel_status(), "200 result="),
        (agi.execute("NoOp"), "200 result=zero"),
        (agi.stream_file("f"), "200 result=x endpos=1"),
        (agi.wait_for_digit(1), "200 result=256"),
        (agi.wait_for_digit(1), "200 result=1114112"),
        (agi.wait_for_digit(1), "200 result=99999999999999999999"),
        (agi.receive_char(1), "200 result=256"),
        (agi.record_file("f", "wav", "", 1), "200 result=999 (dtmf) endpos=1"),
    ],
)
def test_a_result_that_asterisk_would_never_send(built: Command[Any], line: str) -> None:
    """A peer that answers nonsense is at fault, and no error of Python's own escapes."""
    with pytest.raises(AgiReplyError):
        read(built, line)
