"""Hang-ups of the fake Asterisk: while idle, during commands, in the gap before a reply."""

import pytest
from raw_peer import Peer, serve

from fastagi_server.testing.fake_asterisk import FakeAsterisk, Pbx, Subroutine

DEAD = "511 Command Not Permitted on a dead channel or intercept routine"


async def test_hangup_while_idle() -> None:
    """HANGUP comes unasked, dead-safe commands still work, others are refused."""

    async def script(peer: Peer) -> None:
        asterisk.channel.hang_up(16)
        assert await peer.line() == "HANGUP"
        assert await peer.ask("GET VARIABLE HANGUPCAUSE") == "200 result=1 (16)"
        assert await peer.ask("ANSWER") == DEAD
        assert await peer.ask("EXEC Playback beep") == "200 result=0"
        assert await peer.ask("EXEC Wait 0.01") == "200 result=0"
        assert await peer.finish() == "HANGUP\n"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.status == "HANGUP"


async def test_hangup_after_seconds() -> None:
    """A hang-up can be set for later."""

    async def script(peer: Peer) -> None:
        assert await peer.line() == "HANGUP"

    asterisk = FakeAsterisk(hang_up_after=0.01)
    await serve(asterisk, script)
    assert asterisk.status == "HANGUP"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ('STREAM FILE long ""', "200 result=-1 endpos="),
        ('CONTROL STREAM FILE long ""', "200 result=-1 endpos="),
        ('GET OPTION long "1" 5000', "200 result=-1 endpos="),
        ("GET DATA long 5000 3", "200 result=-1"),
        ("WAIT FOR DIGIT 9000", "200 result=-1"),
        ("WAIT FOR DIGIT -1", "200 result=-1"),
        ('RECORD FILE r gsm "#" 9000', "200 result=-1 (hangup) endpos="),
        ('RECORD FILE r gsm "#" -1', "200 result=-1 (hangup) endpos="),
        ("RECEIVE CHAR 9000", "200 result=-1 (hangup)"),
        ("RECEIVE TEXT -1", "200 result=-1"),
        ('SAY ALPHA abc ""', "200 result=-1"),
        ('SAY DIGITS 123 ""', "200 result=-1"),
        ("EXEC Playback long", "200 result=-1"),
        ("EXEC Wait 9", "200 result=-1"),
        ("EXEC Hangup 17", "200 result=-1"),
        ("HANGUP", "200 result=1"),
        ("NOOP", "200 result=0"),
    ],
)
async def test_hangup_during_a_command(command: str, reply: str) -> None:
    """The reply comes first and HANGUP after it, by itself; the session ends as HANGUP."""

    async def script(peer: Peer) -> None:
        assert (await peer.ask(command)).startswith(reply)
        assert await peer.line() == "HANGUP"
        assert await peer.ask("STREAM FILE x y") == DEAD

    during = next(
        name
        for name in (" ".join(command.split()[:count]) for count in (1, 2, 3))
        if name in DURING
    )
    pbx = Pbx(sounds={"long": 30.0}, say_seconds=30.0)
    asterisk = FakeAsterisk(hang_up_during=during.lower(), pbx=pbx)
    await serve(asterisk, script)
    assert asterisk.status == "HANGUP"
    assert asterisk.violations == []


DURING = {
    "STREAM FILE",
    "CONTROL STREAM FILE",
    "GET OPTION",
    "GET DATA",
    "WAIT FOR DIGIT",
    "RECORD FILE",
    "RECEIVE CHAR",
    "RECEIVE TEXT",
    "SAY ALPHA",
    "SAY DIGITS",
    "EXEC",
    "HANGUP",
    "NOOP",
}


async def test_hangup_during_gosub() -> None:
    """A subroutine that the hang-up ends is told as an abnormal exit."""

    async def script(peer: Peer) -> None:
        assert await peer.ask_lines("GOSUB sub s 1", 3) == [
            "100 result=0 Trying...",
            "200 result=0 Gosub complete (abnormal exit)",
            "HANGUP",
        ]

    pbx = Pbx(subroutines={"sub,s,1": Subroutine(seconds=30.0, returns="x")})
    await serve(FakeAsterisk(hang_up_during="GOSUB", pbx=pbx), script)


async def test_hangup_during_speech() -> None:
    """A recognition that the hang-up ends says so."""

    async def script(peer: Peer) -> None:
        await peer.ask("SPEECH CREATE")
        assert await peer.ask("SPEECH RECOGNIZE long 100") == "200 result=1 (hangup) endpos=0"

    pbx = Pbx(sounds={"long": 30.0}, recognises="yes")
    await serve(FakeAsterisk(hang_up_during="SPEECH RECOGNIZE", pbx=pbx), script)


async def test_hangup_in_the_gap() -> None:
    """HANGUP may come between a command and its reply: the reply belongs to the command."""

    async def script(peer: Peer) -> None:
        assert await peer.ask_lines("GET VARIABLE EXTEN", 2) == ["HANGUP", "200 result=1 (1001)"]

    asterisk = FakeAsterisk(hang_up_before="get variable")
    await serve(asterisk, script)
    assert asterisk.status == "HANGUP"


async def test_hangup_in_the_gap_of_a_refused_command() -> None:
    """A command that the hang-up overtakes is refused."""

    async def script(peer: Peer) -> None:
        assert await peer.ask_lines("ANSWER", 2) == ["HANGUP", DEAD]

    await serve(FakeAsterisk(hang_up_before="ANSWER"), script)


async def test_exit_on_hangup_while_idle() -> None:
    """With AGIEXITONHANGUP two HANGUP lines come, and the end of the stream."""

    async def script(peer: Peer) -> None:
        asterisk.channel.hang_up()
        assert await peer.reader.read() == b"HANGUP\nHANGUP\n"

    asterisk = FakeAsterisk(variables={"AGIEXITONHANGUP": "yes"})
    await serve(asterisk, script)
    assert asterisk.status == "HANGUP"


async def test_exit_on_hangup_in_the_gap() -> None:
    """With AGIEXITONHANGUP a command that the hang-up overtakes is never answered."""

    async def script(peer: Peer) -> None:
        peer.send(b"SET VARIABLE A 1\n")
        assert await peer.reader.read() == b"HANGUP\nHANGUP\n"

    asterisk = FakeAsterisk(variables={"AGIEXITONHANGUP": "1"}, hang_up_before="SET VARIABLE")
    await serve(asterisk, script)
    assert asterisk.variables == {}


async def test_exit_on_hangup_during_a_command() -> None:
    """With AGIEXITONHANGUP the command that ran is answered before the end."""

    async def script(peer: Peer) -> None:
        peer.send(b"EXEC Wait 9\n")
        assert await peer.reader.read() == b"200 result=-1\nHANGUP\nHANGUP\n"

    await serve(FakeAsterisk(variables={"AGIEXITONHANGUP": "yes"}, hang_up_during="EXEC"), script)


async def test_silent_hangup() -> None:
    """With AGISIGHUP=no a hang-up is only seen as 511."""

    async def script(peer: Peer) -> None:
        asterisk.channel.hang_up()
        assert await peer.ask("ANSWER") == DEAD
        assert await peer.finish() == ""

    asterisk = FakeAsterisk(variables={"AGISIGHUP": "no"})
    await serve(asterisk, script)
    assert asterisk.status == "HANGUP"


async def test_switches_are_read_once() -> None:
    """Setting AGISIGHUP or AGIEXITONHANGUP from the script is too late."""

    async def script(peer: Peer) -> None:
        await peer.ask("SET VARIABLE AGISIGHUP no")
        await peer.ask("SET VARIABLE AGIEXITONHANGUP yes")
        asterisk.channel.hang_up()
        assert await peer.line() == "HANGUP"
        assert await peer.ask("NOOP") == "200 result=0"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)


async def test_hangup_extension_starts_dead() -> None:
    """In the `h` extension nothing announces the hang-up, and the end is a success."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("ANSWER") == DEAD
        assert await peer.ask("SET VARIABLE A 1") == "200 result=1"
        assert await peer.finish() == "HANGUP\n"

    asterisk = FakeAsterisk("end", dead=True)
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"
    assert asterisk.variables == {"A": "1"}


async def test_second_session_after_the_hangup_is_dead() -> None:
    """A channel that hung up in one session starts the next one dead."""

    async def first(peer: Peer) -> None:
        assert await peer.line() == "HANGUP"

    async def second(peer: Peer) -> None:
        assert await peer.ask("ANSWER") == DEAD

    asterisk = FakeAsterisk(hang_up_after=0.0)
    await serve(asterisk, first)
    assert str(asterisk.status) == "HANGUP"
    await serve(asterisk, second)
    assert str(asterisk.status) == "SUCCESS"


async def test_failure_line_wins_over_the_hangup() -> None:
    """`failure` after a hang-up makes AGISTATUS FAILURE."""

    async def script(peer: Peer) -> None:
        asterisk.channel.hang_up()
        assert await peer.line() == "HANGUP"
        peer.send(b"failure\n")
        assert await peer.reader.read() == b"HANGUP\n"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.status == "FAILURE"


async def test_sticky_failure_wins_over_the_hangup() -> None:
    """A command that failed before the hang-up makes AGISTATUS FAILURE."""

    async def script(peer: Peer) -> None:
        await peer.ask('STREAM FILE nofile ""')
        asterisk.channel.hang_up()
        assert await peer.line() == "HANGUP"

    asterisk = FakeAsterisk(pbx=Pbx(missing_files={"nofile"}))
    await serve(asterisk, script)
    assert asterisk.status == "FAILURE"


async def test_auto_hangup() -> None:
    """SET AUTOHANGUP hangs up when its time has come, and 0 withdraws it."""

    async def script(peer: Peer) -> None:
        await peer.ask("SET AUTOHANGUP 60")
        await peer.ask("SET AUTOHANGUP 0")
        assert asterisk.channel.auto_hangup is None
        assert await peer.ask("SET AUTOHANGUP 10.5") == "200 result=0"
        assert await peer.line() == "HANGUP"

    asterisk = FakeAsterisk(pbx=Pbx(speed=1000.0))
    await serve(asterisk, script)
    assert asterisk.status == "HANGUP"


async def test_hangup_goes_unseen_behind_a_partial_line() -> None:
    """While Asterisk spins on part of a line, it does not see that the caller has gone."""

    async def script(peer: Peer) -> None:
        peer.send(b"GET VARI")
        await asterisk.channel.signal.until(lambda: asterisk.last_session.spun, 2.0)
        asterisk.channel.hang_up()
        assert await peer.ask("ABLE EXTEN") == "200 result=1 (1001)"
        assert await peer.line() == "HANGUP"

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
