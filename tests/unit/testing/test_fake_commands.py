"""Each of the 47 commands over a real connection: replies, argument counts, dead channels."""

import pytest
from raw_peer import Peer, serve

from fastagi_server.testing.asterisk.commands import TABLE, find
from fastagi_server.testing.fake_asterisk import FakeAsterisk, Pbx, Subroutine

DEAD = "511 Command Not Permitted on a dead channel or intercept routine"

SCRIPT = [
    ("NOOP", "200 result=0"),
    ('NoOp "a b" c', "200 result=0"),
    ("  NOOP", "200 result=0"),
    ('"NOOP"', "200 result=0"),
    ("NOOP\r", "510 Invalid or unknown command"),
    ("", "510 Invalid or unknown command"),
    ('""', "510 Invalid or unknown command"),
    ("FROB", "510 Invalid or unknown command"),
    ("noo", "510 Invalid or unknown command"),
    ("noopx", "510 Invalid or unknown command"),
    ("CHANNEL", "510 Invalid or unknown command"),
    ("CHANNEL FOO", "510 Invalid or unknown command"),
    ("ANSWER", "200 result=0"),
    ("ANSWER extra", "200 result=0"),
    ("EXEC Answer", "200 result=0"),
    ("ASYNCAGI BREAK", "200 result=0"),
    ("CHANNEL STATUS", "200 result=6"),
    ("CHANNEL STATUS PJSIP/1002-00000001", "200 result=6"),
    ("CHANNEL STATUS nochan", "200 result=-1"),
    ("HANGUP nochan", "200 result=-1"),
    ("SET VARIABLE A 1", "200 result=1"),
    ("GET VARIABLE A", "200 result=1 (1)"),
    ('SET VARIABLE E ""', "200 result=1"),
    ("GET VARIABLE E", "200 result=1 ()"),
    ("GET VARIABLE NOSUCH", "200 result=0"),
    ('SET VARIABLE S "a\\"b\\\\c"', "200 result=1"),
    ("GET VARIABLE S", '200 result=1 (a"b\\c)'),
    ("SET VARIABLE R abc\r", "200 result=1"),
    ("GET FULL VARIABLE ${LEN(${R})}", "200 result=1 (4)"),
    ("SET VARIABLE NOFUNC(x) 1", "200 result=1"),
    ("GET FULL VARIABLE ${A}", "200 result=1 (1)"),
    ("GET FULL VARIABLE ${NOSUCH}", "200 result=1 ()"),
    ('GET FULL VARIABLE "a ${A} b"', "200 result=1 (a 1 b)"),
    ("GET FULL VARIABLE ${A} PJSIP/1002-00000001", "200 result=1 (1)"),
    ("GET FULL VARIABLE ${A} nochan", "200 result=0"),
    ("GET FULL VARIABLE ${BASE64_ENCODE(${A})}|${SHA1(${A}:n)}", "200 result=1 (MQ==|{sha1})"),
    ('EXEC MSet "A=2,B=x\\\\,y"', "200 result=0"),
    ("GET VARIABLE B", "200 result=1 (x,y)"),
    ("EXEC NoSuch x", "200 result=-2"),
    ('EXEC ""', "200 result=-2"),
    ("EXEC Playback", "200 result=-1"),
    ("EXEC Set QQ=${A}", "200 result=0"),
    ("GET VARIABLE QQ", "200 result=1 (${A})"),
    ("SET VARIABLE AGIEXECFULL yes", "200 result=1"),
    ("EXEC Set QQ=${A}", "200 result=0"),
    ("GET VARIABLE QQ", "200 result=1 (2)"),
    ("DATABASE PUT fam key val", "200 result=1"),
    ("DATABASE GET fam key", "200 result=1 (val)"),
    ("DATABASE GET fam nokey", "200 result=0"),
    ("DATABASE DEL fam key", "200 result=1"),
    ("DATABASE DEL fam key", "200 result=1"),
    ("DATABASE DELTREE fam", "200 result=1"),
    ('DATABASE PUT fam key ""', "200 result=1"),
    ("DATABASE GET fam key", "200 result=1 ()"),
    ("DATABASE DELTREE fam key", "200 result=0"),
    ("VERBOSE hello 3", "200 result=1"),
    ("VERBOSE a b c", "200 result=1"),
    ('SET CALLERID "Bob <123>"', "200 result=1"),
    ("GET VARIABLE CALLERID(all)", '200 result=1 ("Bob" <123>)'),
    ("SET CALLERID", "200 result=1"),
    ("SET CONTEXT other", "200 result=0"),
    ("SET EXTENSION 12", "200 result=0"),
    ("SET PRIORITY 7", "200 result=0"),
    ("GET VARIABLE PRIORITY", "200 result=1 (6)"),
    ("SET PRIORITY label", "200 result=0"),
    ("SET MUSIC on", "200 result=0"),
    ("SET MUSIC bad", "200 result=0"),
    ("SET AUTOHANGUP 100", "200 result=0"),
    ("SET AUTOHANGUP 0", "200 result=0"),
    ("SET AUTOHANGUP 100x", "200 result=0"),
    ("SET AUTOHANGUP -1", "200 result=0"),
    ("SEND IMAGE foo", "200 result=0"),
    ('SEND TEXT "hello"', "200 result=0"),
    ("TDD MODE on", "200 result=0"),
    ("SAY ALPHA a #", "200 result=0"),
    ('SAY ALPHA a "" n', "200 result=0"),
    ('SAY DATE 0 ""', "200 result=0"),
    ('SAY DATETIME 0 "" Q UTC', "200 result=0"),
    ('SAY DIGITS 12a ""', "200 result=0"),
    ('SAY NUMBER -5 "" f', "200 result=0"),
    ('SAY PHONETIC abc ""', "200 result=0"),
    ('SAY TIME 0 ""', "200 result=0"),
    ('STREAM FILE beep ""', "200 result=0 endpos=0"),
    ('STREAM FILE long ""', "200 result=0 endpos=3520"),
    ('STREAM FILE long "" 100', "200 result=0 endpos=3520"),
    ("GET VARIABLE PLAYBACKSTATUS", "200 result=1 (SUCCESS)"),
    ('STREAM FILE nofile ""', "200 result=-1 endpos=0"),
    ('STREAM FILE nofile "" 7', "200 result=-1 endpos=7"),
    ('CONTROL STREAM FILE long ""', "200 result=0 endpos=-1"),
    ("GET VARIABLE CPLAYBACKSTATUS", "200 result=1 (SUCCESS)"),
    ("GET VARIABLE CPLAYBACKOFFSET", "200 result=1 (-1)"),
    ("GET VARIABLE CPLAYBACKSTOPKEY", "200 result=0"),
    ('CONTROL STREAM FILE nofile ""', "200 result=-1 endpos=-1"),
    ('GET OPTION nofile ""', "200 result=-1 endpos=0"),
    ('GET OPTION long "" 10', "200 result=0 endpos=3520"),
    ('GET OPTION long "" x', "200 result=0 endpos=3520"),
    ("GET DATA long 10 3", "200 result= (timeout)"),
    ("GET DATA long 10 1025", "200 result= (timeout)"),
    ("GET DATA long 10 0", "200 result=-1"),
    ("GET DATA nofile 10 3", "200 result=-1"),
    ("GET DATA long", "200 result= (timeout)"),
    ("WAIT FOR DIGIT 10x", "200 result=0"),
    ("RECEIVE CHAR 10", "200 result=-1 (hangup)"),
    ("RECEIVE TEXT x", "200 result=-1"),
    ('RECORD FILE r gsm "" 100', "200 result=0 (timeout) endpos=800"),
    ('RECORD FILE nofile gsm "" 100', "200 result=-1 (writefile)"),
    ('RECORD FILE r badfmt "" 100', "200 result=-1 (writefile)"),
    ("SPEECH CREATE eng", "200 result=0"),
    ("SPEECH SET a b", "200 result=0"),
    ("SPEECH LOAD GRAMMAR a b", "200 result=0"),
    ("SPEECH ACTIVATE GRAMMAR a", "200 result=0"),
    ("SPEECH RECOGNIZE long 100", "200 result=0"),
    ("SPEECH DEACTIVATE GRAMMAR a", "200 result=0"),
    ("SPEECH UNLOAD GRAMMAR a", "200 result=0"),
    ("SPEECH DESTROY", "200 result=0"),
    ("GOSUB nosub s 1", "200 result=-1 Gosub label not found"),
]

USAGE = [
    "GET VARIABLE",
    "GET VARIABLE V extra",
    "SET VARIABLE A",
    "SET VARIABLE A b c",
    "SET PRIORITY nolabel",
    'SET PRIORITY ""',
    "SET AUTOHANGUP x",
    'SAY DIGITS x ""',
    'SAY NUMBER "" ""',
    'SAY TIME x ""',
    'SAY ALPHA a "" q',
    'STREAM FILE beep "" x',
    'CONTROL STREAM FILE beep "" x',
    "WAIT FOR DIGIT x",
    'WAIT FOR DIGIT ""',
    'RECORD FILE r gsm "" x',
    "GOSUB sub s",
]

PERMITTED_WHEN_DEAD = {
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

COUNTS = {
    "ANSWER": (0, None),
    "ASYNCAGI BREAK": (0, None),
    "CHANNEL STATUS": (0, 1),
    "CONTROL STREAM FILE": (2, 7),
    "DATABASE DEL": (2, 2),
    "DATABASE DELTREE": (1, 2),
    "DATABASE GET": (2, 2),
    "DATABASE PUT": (3, 3),
    "EXEC": (1, None),
    "GET DATA": (1, None),
    "GET FULL VARIABLE": (1, 2),
    "GET OPTION": (2, 3),
    "GET VARIABLE": (1, 1),
    "GOSUB": (3, 4),
    "HANGUP": (0, 1),
    "NOOP": (0, None),
    "RECEIVE CHAR": (1, 1),
    "RECEIVE TEXT": (1, 1),
    "RECORD FILE": (4, None),
    "SAY ALPHA": (2, 3),
    "SAY DATE": (2, 2),
    "SAY DATETIME": (2, None),
    "SAY DIGITS": (2, 2),
    "SAY NUMBER": (2, 3),
    "SAY PHONETIC": (2, 2),
    "SAY TIME": (2, 2),
    "SEND IMAGE": (1, 1),
    "SEND TEXT": (1, 1),
    "SET AUTOHANGUP": (1, 1),
    "SET CALLERID": (0, None),
    "SET CONTEXT": (1, 1),
    "SET EXTENSION": (1, 1),
    "SET MUSIC": (1, None),
    "SET PRIORITY": (1, 1),
    "SET VARIABLE": (2, 2),
    "SPEECH ACTIVATE GRAMMAR": (1, 1),
    "SPEECH CREATE": (0, None),
    "SPEECH DEACTIVATE GRAMMAR": (1, 1),
    "SPEECH DESTROY": (0, None),
    "SPEECH LOAD GRAMMAR": (2, 2),
    "SPEECH RECOGNIZE": (2, None),
    "SPEECH SET": (2, 2),
    "SPEECH UNLOAD GRAMMAR": (1, 1),
    "STREAM FILE": (2, 3),
    "TDD MODE": (1, 1),
    "VERBOSE": (1, None),
    "WAIT FOR DIGIT": (1, 1),
}


def pbx(**options: object) -> Pbx:
    """Make surroundings in which time flies and some files are missing."""
    made = Pbx(sounds={"long": 0.44}, missing_files={"nofile"}, labels={"label": 30}, speed=1000.0)
    for name, value in options.items():
        setattr(made, name, value)
    return made


async def test_every_command() -> None:
    """Each command is answered as Asterisk 22.10 answers it."""
    wrong: list[tuple[str, str, str]] = []

    async def script(peer: Peer) -> None:
        for command, expected in SCRIPT:
            reply = await peer.ask(command)
            if "{sha1}" in expected:
                assert reply.startswith("200 result=1 (MQ==|")
            elif reply != expected:
                wrong.append((command, expected, reply))

    asterisk = FakeAsterisk(pbx=pbx())
    await serve(asterisk, script)
    assert wrong == []
    assert asterisk.violations == []
    assert len(asterisk.commands) == len(SCRIPT)
    assert asterisk.status == "FAILURE"
    assert asterisk.goes_on_at == ("other", "12", 30)


def test_table_has_all_47_commands() -> None:
    """There are 47 commands, with the argument counts that Asterisk accepts."""
    counts = {c.name: (c.least, c.most if c.most < 1000 else None) for c in TABLE}
    assert counts == COUNTS
    assert len(TABLE) == 47


@pytest.mark.parametrize("command", [command.name for command in TABLE])
async def test_dead_channel(command: str) -> None:
    """After the hang-up only the dead-safe commands are run, whatever their arguments."""

    async def script(peer: Peer) -> None:
        replies = [await peer.ask(f"{command}{' 1' * count}") for count in (4, 8)]
        assert all((reply == DEAD) == (command not in PERMITTED_WHEN_DEAD) for reply in replies)

    await serve(FakeAsterisk(dead=True, usage=False), script)


@pytest.mark.parametrize("command", USAGE)
async def test_usage(command: str) -> None:
    """Wrong arguments are answered with a block of three lines or more."""

    async def script(peer: Peer) -> None:
        first, usage, last = await peer.ask_lines(command, 3)
        assert first == "520-Invalid command syntax.  Proper usage follows:"
        assert usage.startswith("Usage: ")
        assert last == "520 End of proper usage."

    asterisk = FakeAsterisk(pbx=pbx())
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"


async def test_usage_on_one_line() -> None:
    """An Asterisk without its documentation answers wrong arguments with a single line."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("GET VARIABLE") == (
            "520 Invalid command syntax.  Proper usage not available."
        )
        assert await peer.ask("NOOP") == "200 result=0"

    await serve(FakeAsterisk(usage=False), script)


async def test_dead_goes_before_usage() -> None:
    """On a dead channel 511 comes before any look at the arguments, but 510 before both."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("STREAM FILE") == DEAD
        assert await peer.ask("FROB") == "510 Invalid or unknown command"
        assert await peer.ask("GET VARIABLE") == (
            "520 Invalid command syntax.  Proper usage not available."
        )

    await serve(FakeAsterisk(dead=True, usage=False), script)


async def test_intercepted() -> None:
    """In an interception routine the call is up and commands are refused all the same."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("CHANNEL STATUS") == DEAD
        assert await peer.ask("GET VARIABLE CHANNEL(state)") == "200 result=1 (Up)"

    asterisk = FakeAsterisk(intercepted=True)
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"


async def test_answer_changes_the_state() -> None:
    """ANSWER takes a ringing channel up."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("CHANNEL STATUS") == "200 result=4"
        await peer.ask("ANSWER")
        assert await peer.ask("CHANNEL STATUS") == "200 result=6"

    asterisk = FakeAsterisk()
    asterisk.channel.state = 4
    await serve(asterisk, script)


async def test_get_variable_is_cut_and_get_full_variable_is_not() -> None:
    """GET VARIABLE gives 1023 bytes at most, and may cut a character in two."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("GET VARIABLE L") == f"200 result=1 ({'é' * 511}\udcc3)"
        assert await peer.ask("GET FULL VARIABLE ${L}") == f"200 result=1 ({'é' * 700})"

    await serve(FakeAsterisk(variables={"L": "é" * 700}), script)


async def test_values_with_newlines() -> None:
    """A value is not escaped: its newlines make a reply of several lines."""

    async def script(peer: Peer) -> None:
        assert await peer.ask_lines("GET VARIABLE M", 2) == ["200 result=1 (a", "b)"]

    await serve(FakeAsterisk(variables={"M": "a\nb"}), script)


async def test_gosub() -> None:
    """GOSUB is answered by an interim line and then by its result."""

    async def script(peer: Peer) -> None:
        assert await peer.ask_lines("GOSUB sub s 1 x", 2) == [
            "100 result=0 Trying...",
            "200 result=0 Gosub complete",
        ]
        assert await peer.ask("GET VARIABLE GOSUB_RETVAL") == "200 result=1 (abc)"
        assert await peer.ask_lines("GOSUB sub bad 1", 2) == [
            "100 result=0 Trying...",
            "200 result=0 Gosub complete (abnormal exit)",
        ]
        assert await peer.ask("GET VARIABLE GOSUB_RETVAL") == "200 result=1 ()"

    subroutines = {"sub,s,1": Subroutine(returns="abc"), "sub,bad,1": Subroutine(completes=False)}
    asterisk = FakeAsterisk(pbx=pbx(subroutines=subroutines))
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"


async def test_speech_with_an_engine() -> None:
    """With a speech engine the SPEECH commands succeed between CREATE and DESTROY."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("SPEECH SET a b") == "200 result=0"
        assert await peer.ask("SPEECH CREATE") == "200 result=1"
        assert await peer.ask("SPEECH LOAD GRAMMAR yesno path") == "200 result=1"
        assert await peer.ask("SPEECH RECOGNIZE long 100") == (
            '200 result=1 (speech) endpos=0 results=1 score0=900 text0="yes" grammar0='
        )
        assert await peer.ask("SPEECH DESTROY") == "200 result=1"
        assert await peer.ask("SPEECH DESTROY") == "200 result=0"

    await serve(FakeAsterisk(pbx=pbx(recognises="yes")), script)


async def test_own_application() -> None:
    """A test's own application is run by EXEC, before a built-in one of that name."""
    seen: list[str] = []

    async def dial(channel: object, options: str) -> int:
        del channel
        seen.append(options)
        return 0

    async def script(peer: Peer) -> None:
        assert await peer.ask('EXEC dial "PJSIP/1001,30"') == "200 result=0"

    await serve(FakeAsterisk(pbx=pbx(applications={"Dial": dial})), script)
    assert seen == ["PJSIP/1001,30"]


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ('STREAM FILE nofile ""', "FAILURE"),
        ('GET OPTION nofile ""', "FAILURE"),
        ('CONTROL STREAM FILE nofile ""', "FAILURE"),
        ('RECORD FILE nofile gsm "" 1', "FAILURE"),
        ("GOSUB nosub s 1", "FAILURE"),
        ("RECEIVE CHAR 1", "FAILURE"),
        ("RECEIVE TEXT 1", "SUCCESS"),
        ("GET DATA nofile", "SUCCESS"),
        ("CHANNEL STATUS nochan", "SUCCESS"),
        ("HANGUP nochan", "SUCCESS"),
        ("EXEC NoSuch", "SUCCESS"),
        ("EXEC Playback", "SUCCESS"),
        ("SPEECH SET a b", "SUCCESS"),
        ("FROB", "SUCCESS"),
    ],
)
async def test_sticky_failure(command: str, status: str) -> None:
    """Some commands that fail mark the session as failed, though it ends well."""

    async def script(peer: Peer) -> None:
        await peer.ask(command)
        await peer.ask("NOOP")

    asterisk = FakeAsterisk(pbx=pbx())
    await serve(asterisk, script)
    assert asterisk.status == status
    assert asterisk.channel.variables["AGISTATUS"] == status


def test_find_needs_all_words() -> None:
    """A command is known by all of its words, in any case, and not by a prefix of them."""
    assert find(["get", "Full", "VARIABLE", "x"]) is not None
    assert find(["GET", "FULL"]) is None
    assert find([]) is None


@pytest.mark.parametrize(
    "command",
    ["GET VARIABLE SHELL(id)", "SET VARIABLE FILE(/x) y", "GET FULL VARIABLE ${SHELL(${X})}"],
)
async def test_shell_is_a_violation(command: str) -> None:
    """Functions that run programs on the PBX are answered, and told."""

    async def script(peer: Peer) -> None:
        assert (await peer.ask(command)).startswith("200 ")

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert len(asterisk.violations) == 1
    assert "runs on the PBX" in asterisk.violations[0]
