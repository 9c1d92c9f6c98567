"""The fake Asterisk against the real one: the same raw AGI bytes give the same replies.

Each scene is played twice, as a FastAGI server of raw sockets: once for a channel of the lab's
Asterisk and once for the fake. What differs by nature (ids, positions in a prompt, the text of a
usage block) is masked.
"""

from collections.abc import Iterator, Mapping

import pytest
from agi_commands import COMMANDS
from twin_stage import Peer, Scene, play_fake, play_real

from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk


CONTEXTS = """
[faithful]
exten => s,1,Answer()
 same => n,AGI(${FAITHFUL}/script?x=1,one,two)
 same => n,Verbose(0,FAITHFUL=${AGISTATUS})
 same => n,Wait(60)
exten => silent,1,Answer()
 same => n,Set(AGISIGHUP=no)
 same => n,Goto(s,2)
exten => leaving,1,Answer()
 same => n,Set(AGIEXITONHANGUP=yes)
 same => n,Goto(s,2)
exten => dead,1,Answer()
 same => n,Set(CHANNEL(hangup_handler_push)=faithful,after,1)
 same => n,Hangup()
exten => after,1,AGI(${FAITHFUL}/script?x=1,one,two)
 same => n,Verbose(0,FAITHFUL=${AGISTATUS})
 same => n,Return()
exten => h,1,GotoIf($["${AGISTATUS}" = ""]?9)
 same => n,Verbose(0,FAITHFUL=${AGISTATUS})
 same => 9,NoOp()

[faithful-sub]
exten => s,1,Return(abc)
"""


async def leave(peer: Peer) -> None:
    """Half-close at once."""
    await peer.rest()


async def all_commands(peer: Peer) -> None:
    """Ask every command, with good and bad arguments."""
    for command in COMMANDS:
        await peer.ask(command)


async def fail(peer: Peer) -> None:
    """End by `failure`."""
    peer.send("FAILUREfoo bar\n")
    await peer.end()


async def fail_without_line_feed(peer: Peer) -> None:
    """End by `failure` at the end of the stream."""
    peer.send("failure")
    await peer.rest()


async def batch(peer: Peer) -> None:
    """Send commands together with the end of file, a prompt among them."""
    peer.send('NOOP\nSET VARIABLE A 1\nSTREAM FILE beep ""\nGET VARIABLE A\nSET VARIABLE Q 2')
    await peer.rest()


async def pipelined(peer: Peer) -> None:
    """Send commands in one segment and see which are answered when."""
    peer.send("NOOP\nGET VARIABLE A\nGET VARIABLE EXTEN2\n")
    await peer.lines(1)
    peer.send("SET VARIABLE A 1\nFROB\n")
    await peer.lines(3)
    peer.send("NOOP x\n")
    await peer.lines(2)
    await peer.rest()


async def too_long(peer: Peer) -> None:
    """Send a line one byte too long, and one far too long."""
    peer.send("SET VARIABLE L " + "z" * 8176 + "\nGET FULL VARIABLE ${LEN(${L})}\n")
    peer.send("SET VARIABLE L " + "z" * 9000 + "\nGET FULL VARIABLE ${LEN(${L})}\n")
    await peer.rest()


async def many_words(peer: Peer) -> None:
    """Send more words than Asterisk takes, none in quotes."""
    await peer.ask("NOOP" + " a" * 300)
    await peer.ask("SET VARIABLE W" + " a" * 300)
    await peer.ask("CHANNEL STATUS")


async def reset(peer: Peer) -> None:
    """Crash."""
    await peer.ask("NOOP")
    peer.writer.transport.abort()


async def missing_file(peer: Peer) -> None:
    """Fail one command, and end well."""
    await peer.ask('STREAM FILE nofile ""')
    await peer.ask("NOOP")
    await peer.rest()


async def hang_up_idle(peer: Peer) -> None:
    """Let the caller hang up, and go on."""
    await peer.hang_up()
    await peer.lines(1)
    await after_hangup(peer)


async def after_hangup(peer: Peer) -> None:
    """Ask for what a dead channel permits, and for what it does not."""
    for command in (
        "ANSWER",
        "CHANNEL STATUS",
        "GOSUB faithful-sub s 1",
        "HANGUP",
        "STREAM FILE",
        "GET VARIABLE",
        "FROB",
        "SET VARIABLE A 1",
        "GET VARIABLE A",
        "GET FULL VARIABLE ${A}",
        "EXEC NoOp",
        "EXEC Playback beep",
        "EXEC NoSuch",
        "DATABASE GET a b",
        "VERBOSE x",
        "SPEECH DESTROY",
        "ASYNCAGI BREAK",
    ):
        await peer.ask(command)
    await peer.rest()


async def hang_up_itself(peer: Peer) -> None:
    """Hang up by command."""
    peer.send("HANGUP\n")
    await peer.lines(2)
    await after_hangup(peer)


async def hang_up_by_application(peer: Peer) -> None:
    """Hang up by the application, with a cause."""
    peer.send("EXEC Hangup 17\n")
    await peer.lines(2)
    await peer.ask("GET VARIABLE HANGUPCAUSE")
    await peer.rest()


async def hang_up_silently(peer: Peer) -> None:
    """Let the caller hang up where nobody is told."""
    peer.send("EXEC Wait 9\n")
    await peer.hang_up()
    await peer.reply()
    await after_hangup(peer)


async def hang_up_and_leave(peer: Peer) -> None:
    """Let the caller hang up where Asterisk ends the session itself."""
    await peer.hang_up()
    await peer.end()


def hang_up_during(command: str) -> Scene:
    """Let the caller hang up while a command runs."""

    async def scene(peer: Peer) -> None:
        peer.send(f"{command}\n")
        await peer.hang_up()
        await peer.reply()
        await peer.lines(1)
        await peer.rest()

    return scene


def interrupt(command: str) -> Scene:
    """Send a command while another runs, once that has been under way for a moment."""

    async def scene(peer: Peer) -> None:
        peer.send(f"{command}\n")
        await peer.under_way()
        peer.send("SET VARIABLE A 1\n")
        await peer.rest()

    return scene


PLAIN: dict[str, str] = {}
SCENES: dict[str, tuple[str, Mapping[str, str], Scene]] = {
    "leave": ("s", PLAIN, leave),
    "all commands": ("s", PLAIN, all_commands),
    "failure": ("s", PLAIN, fail),
    "failure without line feed": ("s", PLAIN, fail_without_line_feed),
    "batch": ("s", PLAIN, batch),
    "pipelined": ("s", PLAIN, pipelined),
    "too long": ("s", PLAIN, too_long),
    "many words": ("s", PLAIN, many_words),
    "reset": ("s", PLAIN, reset),
    "missing file": ("s", PLAIN, missing_file),
    "hang up idle": ("s", PLAIN, hang_up_idle),
    "hang up itself": ("s", PLAIN, hang_up_itself),
    "hang up by application": ("s", PLAIN, hang_up_by_application),
    "leave, silent": ("silent", {"AGISIGHUP": "no"}, leave),
    "hang up, silent": ("silent", {"AGISIGHUP": "no"}, hang_up_silently),
    "leave, leaving": ("leaving", {"AGIEXITONHANGUP": "yes"}, leave),
    "hang up, leaving": ("leaving", {"AGIEXITONHANGUP": "yes"}, hang_up_and_leave),
    "dead": ("dead", PLAIN, after_hangup),
    **{
        f"hang up during {command}": ("s", PLAIN, hang_up_during(command))
        for command in (
            'STREAM FILE demo-congrats ""',
            'CONTROL STREAM FILE demo-congrats ""',
            "GET DATA demo-congrats 5000 3",
            'GET OPTION demo-congrats "1" 5000',
            "WAIT FOR DIGIT -1",
            'RECORD FILE /tmp/faithful gsm "#" 9000',
            "RECEIVE CHAR 9000",
            "RECEIVE TEXT 9000",
            "EXEC Wait 9",
            "EXEC Playback demo-congrats",
        )
    },
    **{
        f"interrupt {command}": ("s", PLAIN, interrupt(command))
        for command in (
            'STREAM FILE demo-congrats ""',
            "GET DATA demo-congrats 5000 3",
            'GET OPTION demo-congrats "1" 5000',
            "WAIT FOR DIGIT -1",
            'CONTROL STREAM FILE beep ""',
            "EXEC Wait 0.5",
        )
    },
}


@pytest.fixture(scope="module")
def pbx(lab_root: Root) -> Iterator[Asterisk]:
    """Run an Asterisk whose dialplan asks the scenes."""
    with Asterisk.start(extensions=CONTEXTS, root=lab_root) as running:
        yield running


@pytest.mark.parametrize("name", SCENES)
async def test_same_replies(pbx: Asterisk, name: str) -> None:
    """Both Asterisks send the same lines, and leave the same AGISTATUS."""
    extension, variables, scene = SCENES[name]
    real = await play_real(pbx, extension, scene)
    fake = await play_fake(variables, scene, dead=extension == "dead")
    assert "\n".join(fake) == "\n".join(real)
