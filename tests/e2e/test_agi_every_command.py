"""Every command is understood by a real Asterisk, and its reply by us."""

from collections.abc import Iterator
from typing import Any

import pytest
from agi_peer import Conversation, Listener

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import KINDS, Command
from fastagi_server.agi.results import Digits, GosubResult, Playback, Recording, Speech
from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk

DIALPLAN = """
[commands]
exten => live,1,Answer()
 same => n,AGI(agi://127.0.0.1:{port}/)
exten => sub,1,Return()
"""


@pytest.fixture(scope="module")
def session(lab_root: Root) -> Iterator[Conversation]:
    """One long session of a live channel for all commands."""
    listener = Listener()
    extensions = DIALPLAN.format(port=listener.port)
    with Asterisk.start(extensions=extensions, root=lab_root) as asterisk:
        asterisk.control.originate("Local/wait@lab", context="commands", extension="live")
        with listener.accept() as conversation:
            conversation.receive_request()
            yield conversation
    listener.close()


REPLIES: list[tuple[Command[Any], object]] = [
    (agi.answer(), None),
    (agi.asyncagi_break(), None),
    (agi.channel_status(), 6),
    (agi.control_stream_file("beep"), Playback("", -1)),
    (agi.database_put("values", "k", "a)b"), True),
    (agi.database_get("values", "k"), "a)b"),
    (agi.database_del("values", "k"), True),
    (agi.database_get("values", "k"), None),
    (agi.database_put("values", "t/k", "1"), True),
    (agi.database_deltree("values", "t"), True),
    (agi.database_deltree("values", "t"), False),
    (agi.execute("NoOp"), 0),
    (agi.execute("NoSuchApplication"), -2),
    (agi.get_data("beep", 1, 3), Digits("", timed_out=True)),
    (agi.get_full_variable("${NOTHING}"), ""),
    (agi.get_full_variable("$[1 + 1]"), "2"),
    (agi.get_option("silence/1", "1", 1), Playback("", 8000)),
    (agi.get_variable("NOTHING"), None),
    (agi.get_variable("EXTEN"), "live"),
    (agi.gosub("commands", "sub", 1), GosubResult(abnormal=False)),
    (agi.noop("text"), None),
    (agi.receive_char(1), ""),
    (agi.receive_text(1), None),
    (agi.record_file("/nowhere/x", "gsm", "", 1), Recording("writefile", "", 0)),
    (agi.record_file("/tmp/agi-values", "gsm", "", 1), Recording("timeout", "", 0)),
    (agi.say_alpha("a"), ""),
    (agi.say_date(0), ""),
    (agi.say_datetime(0, "", "H", "UTC"), ""),
    (agi.say_digits("1"), ""),
    (agi.say_number(1), ""),
    (agi.say_phonetic("a"), ""),
    (agi.say_time(0), ""),
    (agi.send_image("nothing"), None),
    (agi.send_text("hello"), None),
    (agi.set_autohangup(0), None),
    (agi.set_callerid("Ann <1001>"), None),
    (agi.get_variable("CALLERID(name)"), "Ann"),
    (agi.set_context("commands"), None),
    (agi.set_extension("live"), None),
    (agi.set_music(on=True), None),
    (agi.set_music(on=False), None),
    (agi.set_priority(3), None),
    (agi.set_variable("X", "1"), None),
    (agi.speech_create("none"), False),
    (agi.speech_set("n", "v"), False),
    (agi.speech_load_grammar("g", "p"), False),
    (agi.speech_activate_grammar("g"), False),
    (agi.speech_deactivate_grammar("g"), False),
    (agi.speech_unload_grammar("g"), False),
    (agi.speech_recognize("beep", 1), Speech("", "", "", 0)),
    (agi.speech_destroy(), False),
    (agi.stream_file("silence/1"), Playback("", 8000)),
    (agi.tdd_mode("off"), False),
    (agi.verbose("hello"), None),
    (agi.wait_for_digit(1), ""),
]


@pytest.mark.parametrize(
    ("command", "value"), REPLIES, ids=[c.line.decode().strip() for c, _ in REPLIES]
)
def test_each_command_is_understood_and_so_is_its_reply(
    session: Conversation, command: Command[Any], value: object
) -> None:
    """What we write Asterisk reads, and what it answers has the value that the table promises."""
    assert session.execute(command) == value


def test_no_command_is_left_out() -> None:
    """All 47 but HANGUP, which would end the session of the others."""
    assert {command.kind.name for command, _ in REPLIES} == set(KINDS) - {"HANGUP"}
