"""Commands of the fake Asterisk that take time: keys, interruptions, positions."""

import asyncio

import pytest
from raw_peer import Peer, serve

from fastagi_server.testing.asterisk.channel import Stop
from fastagi_server.testing.fake_asterisk import FakeAsterisk, Pbx, Subroutine

PROMPT = 30.0


def talking() -> Pbx:
    """Make surroundings with one long prompt."""
    return Pbx(sounds={"long": PROMPT}, say_seconds=PROMPT)


@pytest.mark.parametrize(
    ("command", "keys", "reply", "left"),
    [
        ("STREAM FILE long 12", "912", "200 result=49 endpos=", "2"),
        ("CONTROL STREAM FILE long 2", "2#", "200 result=50 endpos=", "#"),
        ("GET OPTION long 12 3000", "1#", "200 result=49 endpos=", "#"),
        ("GET OPTION beep 12 3000", "1#", "200 result=49 endpos=0", "#"),
        ("WAIT FOR DIGIT 5000", "5#", "200 result=53", "#"),
        ("WAIT FOR DIGIT -1", "A", "200 result=65", ""),
        ("SAY DIGITS 123 2", "12#", "200 result=50", "#"),
        ("RECORD FILE r gsm 2 3000", "2", "200 result=50 (dtmf) endpos=", ""),
        ("GET DATA long 3000 5", "12#3", "200 result=12", "3"),
        ("GET DATA beep 3000 2", "12#", "200 result=12", "#"),
        ("GET DATA long 3000 2", "1234", "200 result=12", "34"),
        ("GET DATA beep 3000", "#", "200 result=", ""),
        ("GET DATA beep 3000 5", "*D#", "200 result=*D", ""),
        ("GET DATA beep 20 5", "12", "200 result=12 (timeout)", ""),
        ("GET DATA beep -1 2", "12", "200 result=12", ""),
    ],
)
async def test_keys(command: str, keys: str, reply: str, left: str) -> None:
    """A key stops a command where it may; what was pressed after it waits for the next one."""

    async def script(peer: Peer) -> None:
        asterisk.channel.press(keys)
        answer = await peer.ask(command)
        assert answer == reply or (reply.endswith("endpos=") and answer.startswith(reply))
        assert asterisk.channel.keys == left

    asterisk = FakeAsterisk(pbx=talking())
    await serve(asterisk, script)


async def test_key_pressed_while_a_prompt_plays() -> None:
    """A key that comes in the middle of a prompt stops it, and the status says FAILED."""

    async def script(peer: Peer) -> None:
        peer.send(b"STREAM FILE long 1\n")
        await asterisk.channel.signal.until(lambda: bool(asterisk.commands))
        asterisk.channel.press("1")
        assert (await peer.line()).startswith("200 result=49 endpos=")
        assert await peer.ask("GET VARIABLE PLAYBACKSTATUS") == "200 result=1 (FAILED)"

    asterisk = FakeAsterisk(pbx=talking())
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"


async def test_controlled_prompt_tells_its_key() -> None:
    """CONTROL STREAM FILE leaves the key and the position in milliseconds."""

    async def script(peer: Peer) -> None:
        asterisk.channel.press("2")
        await peer.ask("CONTROL STREAM FILE long 2")
        assert await peer.ask("GET VARIABLE CPLAYBACKSTATUS") == "200 result=1 (USERSTOPPED)"
        assert await peer.ask("GET VARIABLE CPLAYBACKSTOPKEY") == "200 result=1 (2)"

    asterisk = FakeAsterisk(pbx=talking())
    await serve(asterisk, script)


@pytest.mark.parametrize(
    "command", ['STREAM FILE long ""', "GET DATA long 1000 3", 'GET OPTION long "1" 1000']
)
async def test_interrupted_prompt_is_never_answered(command: str) -> None:
    """A new command stops these at once, and the only reply is that of the new one."""

    async def script(peer: Peer) -> None:
        peer.send(command.encode() + b"\n")
        await asterisk.channel.signal.until(lambda: bool(asterisk.commands))
        assert await peer.ask("GET VARIABLE EXTEN") == "200 result=1 (1001)"
        assert await peer.ask("GET VARIABLE PLAYBACKSTATUS") == "200 result=0"

    asterisk = FakeAsterisk(pbx=talking())
    await serve(asterisk, script)
    assert asterisk.violations == []


async def test_interrupted_wait_between_digits_is_never_answered() -> None:
    """GET DATA stays interruptible after its prompt is over."""

    async def script(peer: Peer) -> None:
        asterisk.channel.press("1")
        peer.send(b"GET DATA beep 9000 3\n")
        await asterisk.channel.signal.until(lambda: bool(asterisk.commands))
        assert await peer.ask("GET VARIABLE EXTEN") == "200 result=1 (1001)"

    asterisk = FakeAsterisk(pbx=talking())
    await serve(asterisk, script)


async def test_interrupted_wait_for_digit_answers_one() -> None:
    """WAIT FOR DIGIT answers 1, which is no digit, and then comes the reply to the new command."""

    async def script(peer: Peer) -> None:
        peer.send(b"WAIT FOR DIGIT -1\n")
        await asterisk.channel.signal.until(lambda: bool(asterisk.commands))
        assert await peer.ask_lines("NOOP", 2) == ["200 result=1", "200 result=0"]

    asterisk = FakeAsterisk()
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ('GET OPTION beep "1" 20', "200 result=0 endpos=0"),
        ('CONTROL STREAM FILE short ""', "200 result=0 endpos=-1"),
        ('SAY DIGITS 12 ""', "200 result=0"),
        ('RECORD FILE r gsm "" 20', "200 result=0 (timeout) endpos=160"),
        ("RECEIVE TEXT 20", "200 result=-1"),
        ("EXEC Wait 0.02", "200 result=0"),
        ("EXEC Playback short", "200 result=0"),
    ],
)
async def test_not_interruptible(command: str, reply: str) -> None:
    """All other commands run on, and both are answered in order."""

    async def script(peer: Peer) -> None:
        peer.send(command.encode() + b"\n")
        await asterisk.channel.signal.until(lambda: bool(asterisk.commands))
        assert await peer.ask_lines("GET VARIABLE EXTEN", 2) == [reply, "200 result=1 (1001)"]

    asterisk = FakeAsterisk(pbx=Pbx(sounds={"short": 0.02}, say_seconds=0.02))
    await serve(asterisk, script)


async def test_gosub_is_not_interruptible() -> None:
    """A subroutine runs to its end though another command waits."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("GOSUB sub s 1") == "100 result=0 Trying..."
        assert await peer.ask_lines("NOOP", 2) == ["200 result=0 Gosub complete", "200 result=0"]

    subroutines = {"sub,s,1": Subroutine(seconds=0.02)}
    await serve(FakeAsterisk(pbx=Pbx(subroutines=subroutines)), script)


async def test_end_of_file_interrupts_a_prompt() -> None:
    """A prompt in a batch that ends with a half-close is skipped without a reply."""

    async def script(peer: Peer) -> None:
        peer.send(b'NOOP\nSTREAM FILE long ""\nGET VARIABLE EXTEN\n')
        assert await peer.finish() == "200 result=0\n200 result=1 (1001)\nHANGUP\n"

    await serve(FakeAsterisk(pbx=talking()), script)


async def test_prompt_and_stop_in_one_segment_do_not_interrupt() -> None:
    """A command sent together with the prompt's lies unseen until the prompt is over."""

    async def script(peer: Peer) -> None:
        peer.send(b'STREAM FILE short ""\nNOOP\n')
        assert await peer.line() == "200 result=0 endpos=160"
        assert await peer.finish() == "200 result=0\nHANGUP\n"

    await serve(FakeAsterisk(pbx=Pbx(sounds={"short": 0.02})), script)


async def test_playback_of_several_files() -> None:
    """EXEC Playback plays files joined by `&`, and tells in a variable that one is missing."""

    async def script(peer: Peer) -> None:
        assert await peer.ask("EXEC Playback beep&beep,noanswer") == "200 result=0"
        assert await peer.ask("GET VARIABLE PLAYBACKSTATUS") == "200 result=1 (SUCCESS)"
        assert await peer.ask("EXEC Playback beep&nofile") == "200 result=0"
        assert await peer.ask("GET VARIABLE PLAYBACKSTATUS") == "200 result=1 (FAILED)"

    asterisk = FakeAsterisk(pbx=Pbx(missing_files={"nofile"}))
    await serve(asterisk, script)
    assert asterisk.status == "SUCCESS"


async def test_waiting_follows_the_clock_of_the_pbx() -> None:
    """A PBX that runs faster lets long times pass at once and reports them as long."""
    asterisk = FakeAsterisk(pbx=Pbx(speed=1_000_000.0))
    assert await asterisk.channel.wait(3600.0) == Stop("time", 3600.0)


async def test_several_tasks_wait_for_one_channel() -> None:
    """Whoever waits for a change of the channel is told of it."""
    channel = FakeAsterisk().channel
    waiting = [
        asyncio.create_task(channel.signal.until(lambda: channel.hung_up)),
        asyncio.create_task(channel.signal.until(lambda: channel.keys == "1")),
    ]
    await asyncio.sleep(0)
    channel.press("1")
    assert await waiting[1]
    assert not waiting[0].done()
    channel.hang_up()
    assert await waiting[0]


async def test_waiting_has_a_limit() -> None:
    """A condition that never holds ends the wait at its limit."""
    channel = FakeAsterisk().channel
    assert not await channel.signal.until(lambda: channel.hung_up, 0.01)
