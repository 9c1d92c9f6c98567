"""The fake Asterisk against the real one: the same raw AGI bytes give the same replies.

Each scene is played twice, as a FastAGI server of raw sockets: once for a channel of the lab's
Asterisk and once for the fake. What differs by nature (ids, positions in a prompt, the text of a
usage block) is masked.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol, cast

import pytest

from fastagi_server.testing.fake_asterisk import FakeAsterisk, Pbx, Subroutine
from lab.asterisk import Asterisk
from lab.root import Root

pytestmark = pytest.mark.asterisk

SCENE_SECONDS = 30.0

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

COMMANDS = """
NOOP
NoOp "a b" c
  NOOP
"NOOP"

""
FROB
noo
noopx
CHANNEL
CHANNEL FOO
ANSWER extra
ASYNCAGI BREAK
CHANNEL STATUS
CHANNEL STATUS nochan
HANGUP nochan
SET VARIABLE A 1
SET VARIABLE A b c
GET VARIABLE A
GET VARIABLE
SET VARIABLE E ""
GET VARIABLE E
GET VARIABLE NOSUCH
SET VARIABLE S "a\\"b\\\\c"
GET VARIABLE S
SET VARIABLE S a"b c"d
GET VARIABLE S
SET VARIABLE S a\\ b
GET VARIABLE S
SET VARIABLE NOFUNC(x) 1
GET VARIABLE NOFUNC(x)
SET VARIABLE _J 7
GET VARIABLE J
SET VARIABLE "A B" 2
GET VARIABLE "A B"
GET VARIABLE V:1
GET VARIABLE ${A}
GET FULL VARIABLE ${A}
GET FULL VARIABLE ${NOSUCH}
GET FULL VARIABLE plain
GET FULL VARIABLE ${A} nochan
SET VARIABLE V hello
GET FULL VARIABLE "${V:1:2}|${V:-2}|${V:10}|${V::2}|${V:-3:2}|${V:1:-1}|${NO:1}"
GET FULL VARIABLE ${BASE64_ENCODE(${V})}|${SHA1(${V}:n)}|${LEN(${V})}
GET FULL VARIABLE "${URIENCODE(a b&c=d/é-_.~!*'())}"
GET FULL VARIABLE ${${NOSUCH}}
GET FULL VARIABLE ${V
GET FULL VARIABLE ${
GET FULL VARIABLE "$V $ {V} a}b{c"
GET FULL VARIABLE ${CHANNEL(state)}|${CHANNEL(nosuch)}|${HANGUPCAUSE}|${DIALSTATUS}
EXEC MSet "A=2,B=x\\\\,y,C=a=b,D"
GET FULL VARIABLE ${A}|${B}|${C}|${D}
EXEC MSet "A=(x,B=y),C=\\"q\\", D = 1 ,E=[z,w]"
GET FULL VARIABLE ${A}|${B}|${C}|${ D }|${E}
EXEC Set "S=\\"q\\" \\\\\\\\ \\\\,x"
GET VARIABLE S
EXEC NoSuch x
EXEC ""
EXEC noop
EXEC Playback
EXEC Playback nofile
GET VARIABLE PLAYBACKSTATUS
EXEC Playback beep
GET VARIABLE PLAYBACKSTATUS
EXEC Wait 0.1
EXEC Set QQ=${V}
GET VARIABLE QQ
SET VARIABLE AGIEXECFULL yes
EXEC Set QQ=${V}
GET VARIABLE QQ
DATABASE PUT fam key val
DATABASE GET fam key
DATABASE GET fam nokey
DATABASE GET fam
DATABASE DEL fam key
DATABASE DEL fam key
DATABASE DELTREE fam
DATABASE PUT fam key ""
DATABASE GET fam key
DATABASE PUT fam/key2 key val
DATABASE PUT family key val
DATABASE DELTREE fam key
DATABASE DELTREE fam key
DATABASE DELTREE fam
DATABASE GET family key
DATABASE DELTREE family
VERBOSE hello 3
VERBOSE a b c
SET CALLERID "Bob <123>"
GET VARIABLE CALLERID(all)
SET CALLERID 55
GET VARIABLE CALLERID(all)
SET CALLERID
SET VARIABLE "CALLERID(all)" "\\"Al B\\" <77>"
GET FULL VARIABLE ${CALLERID(name)}|${CALLERID(num)}
SET CONTEXT faithful
SET CONTEXT
SET PRIORITY 7
GET VARIABLE PRIORITY
SET PRIORITY nolabel
SET PRIORITY ""
SET PRIORITY 3
SET MUSIC off
SET MUSIC bad
SET AUTOHANGUP 100
SET AUTOHANGUP 0
SET AUTOHANGUP x
SEND IMAGE foo
SEND TEXT "hello"
TDD MODE on
SAY ALPHA a ""
SAY ALPHA a "" q
SAY DIGITS x ""
SAY DIGITS 1a ""
SAY NUMBER "" ""
SAY PHONETIC a ""
STREAM FILE beep ""
STREAM FILE beep "" x
STREAM FILE beep
GET VARIABLE PLAYBACKSTATUS
STREAM FILE nofile ""
STREAM FILE nofile "" 7
CONTROL STREAM FILE beep ""
CONTROL STREAM FILE beep "" x
GET FULL VARIABLE ${CPLAYBACKSTATUS}|${CPLAYBACKOFFSET}|${CPLAYBACKSTOPKEY}
CONTROL STREAM FILE nofile ""
GET FULL VARIABLE ${CPLAYBACKSTATUS}|${CPLAYBACKOFFSET}|${CPLAYBACKSTOPKEY}
GET OPTION nofile ""
GET OPTION beep "" 100
GET DATA beep 100 3
GET DATA beep 100 0
GET DATA nofile 100 3
WAIT FOR DIGIT 50
WAIT FOR DIGIT x
RECEIVE CHAR 50
RECEIVE TEXT 50
RECORD FILE /tmp/faithful gsm "" 100
RECORD FILE /tmp/faithful badfmt "" 100
RECORD FILE /tmp/faithful gsm "" x
SPEECH CREATE
SPEECH SET a b
SPEECH LOAD GRAMMAR a b
SPEECH RECOGNIZE beep 100
SPEECH DESTROY
GOSUB faithful-sub s 1 x
GET VARIABLE GOSUB_RETVAL
GOSUB faithful-sub nolabel 1
GOSUB faithful-sub s
""".strip("\n").split("\n")  # fmt: skip


class Caller(Protocol):
    """The other side of the channel, real or not."""

    async def under_way(self, commands: int) -> None:
        """Wait until so many commands were begun."""
        ...

    async def hang_up(self) -> None:
        """Hang up."""
        ...


class Peer:
    """The server's end of a session, whichever Asterisk is at the other."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        caller: "Caller",
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.caller = caller
        self.sent = 0
        self.heard: list[str] = []

    async def lines(self, count: int) -> None:
        """Note so many lines."""
        for _ in range(count):
            self.heard.append(masked((await self.reader.readline()).decode().rstrip("\n")))

    async def reply(self) -> None:
        """Note one reply: an interim line and a usage block are parts of it."""
        line = ""
        while not line.startswith(("200 ", "510 ", "511 ", "520 ")):
            line = (await self.reader.readline()).decode().rstrip("\n")
            assert line or not self.reader.at_eof(), self.heard
            if re.match(r"\d{3}", line):
                self.heard.append(masked(line))

    async def ask(self, command: str) -> None:
        """Send a command and note its reply."""
        self.send(f"{command}\n")
        self.heard.append(f"> {command}")
        await self.reply()

    def send(self, text: str) -> None:
        """Send bytes in one segment."""
        self.sent += text.count("\n")
        self.writer.write(text.encode())

    async def under_way(self) -> None:
        """Wait until Asterisk has begun with the last command."""
        await self.caller.under_way(self.sent)

    async def hang_up(self) -> None:
        """Let the caller hang up, once the last command is under way."""
        await self.under_way()
        await self.caller.hang_up()

    async def rest(self) -> None:
        """Half-close and note all that still comes."""
        with suppress(OSError):
            self.writer.write_eof()
        await self.end()

    async def end(self) -> None:
        """Note all that comes until the end of the stream."""
        text = (await self.reader.read()).decode()
        self.heard += [masked(line) for line in text.splitlines()]


Scene = Callable[[Peer], Awaitable[None]]


def masked(line: str) -> str:
    """Take out what two sessions cannot have in common."""
    line = re.sub(r"endpos=\d+", "endpos=N", line)
    return re.sub(r"^(agi_\w+): .*", r"\1", line)


@asynccontextmanager
async def stage(
    scene: Scene, caller: Caller
) -> AsyncGenerator[tuple[int, "asyncio.Future[list[str]]"]]:
    """Serve one session with `scene`; give the port and what will have been heard."""
    heard: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, caller)
        try:
            async with asyncio.timeout(SCENE_SECONDS):
                while (line := await reader.readline()) != b"\n":
                    peer.heard.append(masked(line.decode().rstrip("\n")))
                await scene(peer)
            heard.set_result(peer.heard)
        except Exception as error:  # noqa: BLE001 - handed to the test
            heard.set_exception(error)
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield cast("tuple[str, int]", server.sockets[0].getsockname())[1], heard


class RealCaller:
    """A channel of the lab's Asterisk."""

    def __init__(self, asterisk: Asterisk) -> None:
        self.control = asterisk.control
        self.channel = ""

    def dial(self, extension: str) -> None:
        """Start the channel."""
        self.channel = self.control.originate(
            "Local/wait@lab", context="faithful", extension=extension
        )

    async def under_way(self, commands: int) -> None:
        """Wait a moment: nothing outside Asterisk tells that a command has begun."""
        del commands
        await asyncio.sleep(0.2)

    async def hang_up(self) -> None:
        """Hang up over ARI."""
        await asyncio.to_thread(self.control.hang_up, self.channel)


class FakeCaller:
    """A fake channel."""

    def __init__(self, fake: FakeAsterisk) -> None:
        self.fake = fake

    async def under_way(self, commands: int) -> None:
        """Wait until the fake has taken up so many commands."""
        await self.fake.channel.signal.until(lambda: len(self.fake.commands) >= commands)

    async def hang_up(self) -> None:
        """Hang up."""
        self.fake.channel.hang_up()


async def play_real(asterisk: Asterisk, extension: str, scene: Scene) -> list[str]:
    """Play a scene with the real Asterisk."""
    control, log_size = asterisk.control, len(asterisk.log())
    caller = RealCaller(asterisk)
    async with stage(scene, caller) as (port, heard):
        asterisk.set_global("FAITHFUL", f"agi://127.0.0.1:{port}")
        await asyncio.to_thread(caller.dial, extension)
        lines = await heard
    found = await asyncio.to_thread(
        asterisk.wait_for_log, r"FAITHFUL=(SUCCESS|FAILURE|HANGUP)", after=log_size
    )
    for left in control.channels():
        with suppress(Exception):
            control.hang_up(left["id"])
    assert asterisk.wait_idle()
    return [*lines, found[1]]


async def play_fake(variables: Mapping[str, str], scene: Scene, *, dead: bool = False) -> list[str]:
    """Play a scene with the fake one."""
    pbx = Pbx(
        sounds={"beep": 0.44, "demo-congrats": 30.0},
        missing_files={"nofile"},
        subroutines={"faithful-sub,s,1": Subroutine(returns="abc")},
    )
    fake = FakeAsterisk(
        "script?x=1", arguments=("one", "two"), variables=variables, dead=dead, pbx=pbx
    )
    async with stage(scene, FakeCaller(fake)) as (port, heard):
        await fake.run("127.0.0.1", port)
        return [*(await heard), str(fake.status)]


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
