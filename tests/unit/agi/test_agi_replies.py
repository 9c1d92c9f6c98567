"""Every form of reply in agi.md 1.4, and what is none."""

import pytest

from fastagi_server.agi.errors import AgiReplyError
from fastagi_server.agi.replies import Reply, parse_reply

USAGE_WORDS = "Invalid command syntax.  Proper usage follows:\nUsage: X\n520 End of proper usage."


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("200 result=0", Reply(200, "0")),
        ("200 result=1", Reply(200, "1")),
        ("200 result=-1", Reply(200, "-1")),
        ("200 result=6", Reply(200, "6")),
        ("200 result=", Reply(200, "")),
        ("200 result= (timeout)", Reply(200, "", "timeout")),
        ("200 result=12*#A", Reply(200, "12*#A")),
        ("200 result=12 (timeout)", Reply(200, "12", "timeout")),
        ("200 result=0 endpos=8000", Reply(200, "0", None, "endpos=8000")),
        ("200 result=-1 (hangup) endpos=7", Reply(200, "-1", "hangup", " endpos=7")),
        ("200 result=53 (dtmf) endpos=7", Reply(200, "53", "dtmf", " endpos=7")),
        ("200 result=0 Gosub complete", Reply(200, "0", None, "Gosub complete")),
        (
            "200 result=0 Gosub complete (abnormal exit)",
            Reply(200, "0", None, "Gosub complete (abnormal exit)"),
        ),
        (
            "200 result=-1 Gosub label not found",
            Reply(200, "-1", None, "Gosub label not found"),
        ),
        (
            "503 result=-2 Memory allocation failure",
            Reply(503, "-2", None, "Memory allocation failure"),
        ),
        ("510 Invalid or unknown command", Reply(510, tail="Invalid or unknown command")),
        (
            "511 Command Not Permitted on a dead channel or intercept routine",
            Reply(511, tail="Command Not Permitted on a dead channel or intercept routine"),
        ),
        (
            "520 Invalid command syntax.  Proper usage not available.",
            Reply(520, tail="Invalid command syntax.  Proper usage not available."),
        ),
        (f"520-{USAGE_WORDS}", Reply(520, tail=USAGE_WORDS)),
        ("200", Reply(200)),
        ("200 result=1 (open", Reply(200, "1", None, "(open")),
    ],
)
def test_each_form_is_read(line: str, reply: Reply) -> None:
    """The forms of res_agi.c; without parentheses the text is None, not empty."""
    assert parse_reply(line, holds_value=False) == reply


@pytest.mark.parametrize(
    ("line", "text", "tail"),
    [
        ("200 result=1 (x)", "x", ""),
        ("200 result=1 ()", "", ""),
        ("200 result=1 (a) b)", "a) b", ""),
        ("200 result=1 ((a)(b))", "(a)(b)", ""),
        ("200 result=1 (one\ntwo\n)", "one\ntwo\n", ""),
        ("200 result=1 (HANGUP)", "HANGUP", ""),
        ("200 result=1 (x) y", "x", " y"),
        ("200 result=1 ( x )", " x ", ""),
        ("200 result=1", None, ""),
        ("200 result=1 (", None, "("),
        ("200 result=1 x)", None, "x)"),
    ],
)
def test_a_value_reaches_to_the_last_parenthesis(line: str, text: str | None, tail: str) -> None:
    """Values may hold parentheses and newlines; an empty value is told from an unset one."""
    reply = parse_reply(line, holds_value=True)
    assert (reply.code, reply.result, reply.text, reply.tail) == (200, "1", text, tail)


def test_a_word_ends_at_the_first_parenthesis() -> None:
    """Behind `(speech)` come texts that may hold parentheses of their own."""
    reply = parse_reply('200 result=1 (speech) endpos=0 text0="a) b"', holds_value=False)
    assert reply.text == "speech"
    assert reply.tail == ' endpos=0 text0="a) b"'


@pytest.mark.parametrize(
    "line",
    ["", "garbage", "20 result=1", "2000", "HANGUP ", " 200 result=1", "٢٠٠ result=1", "200x"],
)
def test_garbage_is_no_reply(line: str) -> None:
    """A line that begins with no code was never written by Asterisk."""
    with pytest.raises(AgiReplyError, match="not a reply") as caught:
        parse_reply(line, holds_value=False)
    assert caught.value.kind == "reply"


@pytest.mark.parametrize(("result", "number"), [("0", 0), ("-1", -1), ("57", 57), ("007", 7)])
def test_the_result_as_a_number(result: str, number: int) -> None:
    """Results are C integers."""
    assert Reply(200, result).number == number


@pytest.mark.parametrize("result", ["", "x", "1_0", "+1", "1.5", "٣", "9" * 19, "9" * 5000])
def test_a_result_that_is_no_number(result: str) -> None:
    """A number that no C integer holds is the peer's fault, and no error of Python's own."""
    with pytest.raises(AgiReplyError, match="is not a number"):
        _ = Reply(200, result).number


@pytest.mark.parametrize(
    ("tail", "position"),
    [
        ("endpos=8000", 8000),
        (" endpos=7", 7),
        (" endpos=-1", -1),
        (" digit=5 endpos=12", 12),
        (" endpos=3 results=1", 3),
        ("", 0),
        ("xendpos=3", 0),
        (" endpos=", 0),
        (" endpos=" + "9" * 5000, 0),
    ],
)
def test_the_end_position(tail: str, position: int) -> None:
    """`endpos=` stands behind the result or behind a word; without a number it counts as 0."""
    assert Reply(200, "0", None, tail).end_position == position
