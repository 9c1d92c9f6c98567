"""The facts that the AGI core is built on, asked of a real Asterisk through the core itself."""

from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from agi_peer import Conversation, Listener

from fastagi_server.agi import commands as agi
from fastagi_server.agi.command import KINDS, Command
from fastagi_server.agi.errors import AgiCommandError, AgiDeadChannelError, AgiRequestError
from lab.asterisk import Asterisk
from lab.processes import wait_until
from lab.root import Root

pytestmark = pytest.mark.asterisk

DIALPLAN = """
[protocol]
exten => live,1,Answer()
 same => n,AGI(agi://127.0.0.1:{port}/live?x=${{URIENCODE(+33 1/é&=)}},one,,three)
 same => n,Set(AFTER=${{AGISTATUS}})
 same => n,Wait(60)
exten => injected,1,Set(X=${{URIDECODE(a%0aagi_callerid: 911)}})
 same => n,AGI(agi://127.0.0.1:{port}/s?x=${{X}})
 same => n,Set(AFTER=${{AGISTATUS}})
 same => n,Wait(60)
exten => argument,1,Set(X=${{URIDECODE(a%0aagi_callerid: 911)}})
 same => n,AGI(agi://127.0.0.1:{port}/,${{X}})
 same => n,Set(AFTER=${{AGISTATUS}})
 same => n,Wait(60)
exten => sub,1,Return()
exten => leaves,1,Hangup()

[protocol-dead]
exten => short,1,NoOp()
exten => h,1,AGI(agi://127.0.0.1:{port}/dead)
 same => n,NoOp(after: ${{AGISTATUS}} ${{A}} ${{B}})
"""


class Dial(Protocol):
    """Call an extension: the channel's id and the session that it begins."""

    def __call__(self, extension: str, context: str = ...) -> tuple[str, Conversation]:
        """Place the call."""
        ...


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    """The port that the dialplan above names."""
    opened = Listener()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def pbx(lab_root: Root, listener: Listener) -> Iterator[Asterisk]:
    """An Asterisk with the dialplan above."""
    with Asterisk.start(extensions=DIALPLAN.format(port=listener.port), root=lab_root) as running:
        running.cli("agi set debug on")
        yield running


@pytest.fixture
def dial(pbx: Asterisk, listener: Listener) -> Iterator[Dial]:
    """Calls whose sessions and channels end with the test."""
    begun: list[Conversation] = []

    def call(extension: str, context: str = "protocol") -> tuple[str, Conversation]:
        channel = pbx.control.originate("Local/wait@lab", context=context, extension=extension)
        begun.append(listener.accept())
        return channel, begun[-1]

    yield call
    for session in begun:
        session.__exit__(None, None, None)
    for channel in pbx.control.channels():
        pbx.control.hang_up(channel["id"])
    assert pbx.wait_idle()


@pytest.fixture
def live(dial: Dial) -> Conversation:
    """A session of a live channel whose environment has been read."""
    _, session = dial("live")
    session.receive_request()
    return session


def status(pbx: Asterisk, channel: str) -> str:
    """AGISTATUS as the dialplan saw it when AGI() returned."""
    wait_until(lambda: pbx.control.variable(channel, "AFTER") != "", 10)
    return pbx.control.variable(channel, "AFTER")


def test_the_table_of_commands_is_asterisks_own(pbx: Asterisk) -> None:
    """`agi show commands` lists the same 47 with the same dead flags."""
    rows = [line.split(None, 1) for line in pbx.cli("agi show commands").splitlines()]
    listed = {
        next(
            name for name in sorted(KINDS, key=len, reverse=True) if rest.upper().startswith(name)
        ): flag == "Yes"
        for flag, rest in (row for row in rows if row and row[0] in {"Yes", "No"})
    }
    assert listed == {name: kind.dead_safe for name, kind in KINDS.items()}


def test_the_environment_of_a_live_channel(dial: Dial) -> None:
    """All 22 lines in order, the query decoded, empty arguments kept."""
    channel, session = dial("live")
    request = session.receive_request()
    assert len(request.variables) == 22
    assert request.unique_id == channel
    assert request.path == "live"
    assert request.query == {"x": "+33 1/é&="}
    assert request.arguments == ("one", "", "three")


def test_a_newline_in_the_url_is_refused(pbx: Asterisk, dial: Dial) -> None:
    """Asterisk writes the injected caller id before its own."""
    channel, session = dial("injected")
    with pytest.raises(AgiRequestError, match="out of place"):
        session.receive_request()
    session.finish(failure="protocol_error")
    assert status(pbx, channel) == "FAILURE"


def test_a_newline_in_an_argument_injects_nothing(dial: Dial) -> None:
    """Asterisk writes the injected caller id behind its own."""
    _, session = dial("argument")
    request = session.receive_request()
    assert request["agi_callerid"] != "911"
    assert request.arguments == ("a",)


@pytest.mark.parametrize(("failure", "expected"), [("", "SUCCESS"), ("overload", "FAILURE")])
def test_the_last_lines_are_all_executed(
    pbx: Asterisk, dial: Dial, failure: str, expected: str
) -> None:
    """Two variables, `failure` and a half-close in one write."""
    channel, session = dial("live")
    session.receive_request()
    session.finish(agi.set_variable("A", "1"), agi.set_variable("B", "2"), failure=failure)
    assert status(pbx, channel) == expected
    assert [pbx.control.variable(channel, name) for name in ("A", "B")] == ["1", "2"]
    assert not session.hung_up


@pytest.mark.parametrize(
    "command",
    [agi.stream_file("demo-instruct"), agi.wait_for_digit(-1), agi.execute("Wait", "0.2")],
    ids=lambda command: command.kind.name,
)
def test_the_last_lines_follow_a_command_in_flight(
    pbx: Asterisk, dial: Dial, command: Command[Any]
) -> None:
    """They stop a playback and wait for an application; either way all are executed."""
    channel, session = dial("live")
    session.receive_request()
    session.say(session.connection.send(command))
    session.finish(agi.set_variable("A", "1"), agi.set_variable("B", "2"))
    assert status(pbx, channel) == "SUCCESS"
    assert [pbx.control.variable(channel, name) for name in ("A", "B")] == ["1", "2"]


def test_the_last_lines_of_a_dead_channel(pbx: Asterisk, dial: Dial) -> None:
    """In `h` the variables are set and AGISTATUS is FAILURE, too."""
    before = len(pbx.log())
    _, session = dial("short", "protocol-dead")
    session.receive_request()
    marker = session.connection.synchronise()
    session.say(marker)
    session.receive_sync()
    with pytest.raises(AgiCommandError) as caught:
        session.execute(agi.answer())
    assert caught.value.code == 511
    session.finish(agi.set_variable("A", "1"), agi.set_variable("B", "2"), failure="x")
    pbx.wait_for_log(r"after: FAILURE 1 2", after=before)


@pytest.mark.parametrize(
    "command",
    [
        agi.stream_file("demo-instruct"),
        agi.get_data("demo-instruct"),
        agi.get_option("demo-instruct", "1"),
        agi.wait_for_digit(-1),
    ],
    ids=lambda command: command.kind.name,
)
def test_an_interruption_ends_with_the_marker(
    pbx: Asterisk, live: Conversation, command: Command[Any]
) -> None:
    """Each of the four stops at once, and the next command gets its own reply."""
    before = len(pbx.log())
    live.say(live.connection.send(command))
    pbx.wait_for_log(f"AGI Rx << {command.kind.name}", after=before)
    live.say(live.connection.interrupt())
    live.receive_sync()
    live.execute(agi.set_variable("X", "1"))
    assert live.execute(agi.get_variable("X")) == "1"


def test_an_interruption_sent_too_soon_is_repeated(pbx: Asterisk, live: Conversation) -> None:
    """Read together with the command, the first marker is seen only when the second arrives."""
    before = len(pbx.log())
    live.say(live.connection.send(agi.stream_file("demo-instruct")) + live.connection.interrupt())
    pbx.wait_for_log("AGI Rx << STREAM FILE", after=before)
    live.say(live.connection.interrupt())
    live.receive_sync()
    live.execute(agi.noop())


def test_a_hangup_leaves_the_dead_safe_commands(pbx: Asterisk, dial: Dial) -> None:
    """After HANGUP variables can be read; the others are refused before they are sent."""
    channel, session = dial("live")
    session.receive_request()
    session.execute(agi.set_variable("X", "1"))
    pbx.control.hang_up(channel)
    wait_until(lambda: session.execute(agi.noop()) is None and session.hung_up, 5)
    with pytest.raises(AgiDeadChannelError):
        session.execute(agi.answer())
    assert session.execute(agi.get_variable("X")) == "1"


def test_unknown_labels_are_usage_errors(live: Conversation) -> None:
    """SET PRIORITY answers a usage block, GOSUB a result of its own; both leave the order."""
    with pytest.raises(AgiCommandError) as caught:
        live.execute(agi.set_priority("nowhere"))
    assert caught.value.code == 520
    with pytest.raises(AgiCommandError) as caught:
        live.execute(agi.gosub("protocol", "nowhere", 1))
    assert (caught.value.code, caught.value.result) == (200, "-1")
    live.execute(agi.noop())
