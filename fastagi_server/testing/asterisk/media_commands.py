"""AGI commands that take time: prompts, keys, recordings, speech.

Three of them (STREAM FILE, GET DATA, GET OPTION while it plays) stop at once when the server sends
anything, even the end of file, and are then never answered; WAIT FOR DIGIT answers 1. All others
run on. A prompt's position counts samples of 8 kHz, that of CONTROL STREAM FILE milliseconds.
"""

from collections.abc import Sequence

from fastagi_server.testing.asterisk.channel import Stop
from fastagi_server.testing.asterisk.text import leading_int
from fastagi_server.testing.asterisk.turn import Reply, Turn, UsageError, argument, number

SAMPLES_PER_SECOND = 8000
ANY_KEY = "0123456789*#ABCD"
MOST_DIGITS = 1024
FIRST_KEY_SECONDS = 6.0
NEXT_KEY_SECONDS = 2.0
OPTION_SECONDS = 5.0
END_OF_FILE = -1
"""Where CONTROL STREAM FILE says that it stopped when it played to the end."""

_FORMATS = frozenset({"alaw", "g722", "gsm", "sln", "sln16", "ulaw", "wav", "wav49", "WAV"})


def _code(stop: Stop) -> str:
    """Give the result of a command that a key may stop: its ASCII code, 0, or -1."""
    if stop.why == "key":
        return str(ord(stop.key))
    return "-1" if stop.why == "hangup" else "0"


def _end(stop: Stop, *, start: int = 0) -> str:
    return f"{_code(stop)} endpos={start + int(stop.seconds * SAMPLES_PER_SECOND)}"


async def _play(turn: Turn, file: str, keys: str, start: int = 0) -> Stop:
    """Play a prompt from sample `start`; a new command stops it."""
    seconds = turn.channel.pbx.sounds.get(file, 0.0) - start / SAMPLES_PER_SECOND
    return await turn.channel.wait(max(seconds, 0.0), keys=keys, interrupted=turn.interrupted)


async def stream_file(turn: Turn, arguments: Sequence[str]) -> Reply:
    """STREAM FILE."""
    file, keys = arguments[:2]
    start = number(argument(arguments, 2, "0"))
    if file in turn.channel.pbx.missing_files:
        return Reply(f"-1 endpos={start}", failed=True)
    stop = await _play(turn, file, keys, start)
    if stop.why == "command":
        return Reply(None)
    turn.channel.variables["PLAYBACKSTATUS"] = "SUCCESS" if stop.why == "time" else "FAILED"
    return Reply(_end(stop, start=start), failed=stop.why == "hangup")


async def control_stream_file(turn: Turn, arguments: Sequence[str]) -> Reply:
    """CONTROL STREAM FILE: its keys to skip and pause have no effect here."""
    for index in (2, 6):
        number(argument(arguments, index, "0"))
    file, keys = arguments[:2]
    variables = turn.channel.variables
    if file in turn.channel.pbx.missing_files:
        variables.update(CPLAYBACKSTATUS="ERROR", CPLAYBACKOFFSET=str(END_OF_FILE))
        return Reply(f"-1 endpos={END_OF_FILE}", failed=True)
    stop = await turn.channel.wait(turn.channel.pbx.sounds.get(file, 0.0), keys=keys)
    position = END_OF_FILE if stop.why == "time" else int(stop.seconds * 1000)
    status = {"time": "SUCCESS", "key": "USERSTOPPED"}.get(stop.why, "ERROR")
    variables.update(CPLAYBACKSTATUS=status, CPLAYBACKOFFSET=str(position))
    if stop.key:
        variables["CPLAYBACKSTOPKEY"] = stop.key
    return Reply(f"{_code(stop)} endpos={position}", failed=stop.why == "hangup")


async def get_option(turn: Turn, arguments: Sequence[str]) -> Reply:
    """GET OPTION: a prompt that a new command stops, then a wait that it does not."""
    file, keys = arguments[:2]
    if file in turn.channel.pbx.missing_files:
        return Reply("-1 endpos=0", failed=True)
    stop = await _play(turn, file, keys)
    if stop.why == "command":
        return Reply(None)
    played = int(stop.seconds * SAMPLES_PER_SECOND)
    if stop.why == "time":
        milliseconds = leading_int(argument(arguments, 2)) or 0
        stop = await turn.channel.wait(
            milliseconds / 1000 if milliseconds > 0 else OPTION_SECONDS, keys=keys
        )
    return Reply(f"{_code(stop)} endpos={played}", failed=stop.why == "hangup")


async def get_data(turn: Turn, arguments: Sequence[str]) -> Reply:
    """GET DATA: digits until `#`, the wanted number of them, or a time-out."""
    first, following = _key_seconds(leading_int(argument(arguments, 1)) or 0)
    most = min(leading_int(argument(arguments, 2, str(MOST_DIGITS))) or 0, MOST_DIGITS)
    if arguments[0] in turn.channel.pbx.missing_files or most <= 0:
        return Reply("-1")
    stop = await _play(turn, arguments[0], ANY_KEY)
    if stop.why == "time":
        stop = await _next_key(turn, first)
    digits = ""
    while stop.why == "key" and stop.key != "#":
        digits += stop.key
        if len(digits) == most:
            return Reply(digits)
        stop = await _next_key(turn, following)
    if stop.why == "command":
        return Reply(None)
    return Reply({"hangup": "-1", "key": digits}.get(stop.why, f"{digits} (timeout)"))


def _key_seconds(milliseconds: int) -> tuple[float | None, float | None]:
    if milliseconds < 0:
        return None, None
    if milliseconds == 0:
        return FIRST_KEY_SECONDS, NEXT_KEY_SECONDS
    return milliseconds / 1000, milliseconds / 1000


async def _next_key(turn: Turn, seconds: float | None) -> Stop:
    return await turn.channel.wait(seconds, keys=ANY_KEY, interrupted=turn.interrupted)


async def wait_for_digit(turn: Turn, arguments: Sequence[str]) -> Reply:
    """WAIT FOR DIGIT: answers 1 when a new command cuts it short."""
    milliseconds = number(arguments[0])
    stop = await _next_key(turn, None if milliseconds < 0 else milliseconds / 1000)
    return Reply("1" if stop.why == "command" else _code(stop), failed=stop.why == "hangup")


async def receive_char(turn: Turn, arguments: Sequence[str]) -> Reply:
    """RECEIVE CHAR: the caller types nothing; a time-out is told as a hang-up, and fails."""
    await _receive(turn, arguments)
    return Reply("-1 (hangup)", failed=True)


async def receive_text(turn: Turn, arguments: Sequence[str]) -> Reply:
    """RECEIVE TEXT: the caller types nothing."""
    await _receive(turn, arguments)
    return Reply("-1")


async def _receive(turn: Turn, arguments: Sequence[str]) -> None:
    milliseconds = leading_int(arguments[0]) or 0
    await turn.channel.wait(milliseconds / 1000 if milliseconds >= 0 else None)


async def record_file(turn: Turn, arguments: Sequence[str]) -> Reply:
    """RECORD FILE: records nothing, so that the position is that of the time that passed."""
    file, sound_format, keys, milliseconds = arguments[:4]
    limit = number(milliseconds)
    if file in turn.channel.pbx.missing_files or sound_format not in _FORMATS:
        return Reply("-1 (writefile)", failed=True)
    stop = await turn.channel.wait(limit / 1000 if limit >= 0 else None, keys=keys)
    reason = {"key": "dtmf", "hangup": "hangup"}.get(stop.why, "timeout")
    samples = int(stop.seconds * SAMPLES_PER_SECOND)
    return Reply(f"{_code(stop)} ({reason}) endpos={samples}", failed=stop.why == "hangup")


async def say(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SAY ALPHA and SAY PHONETIC; the other SAY commands check their number first."""
    stop = await turn.channel.wait(turn.channel.pbx.say_seconds, keys=arguments[1])
    return Reply(_code(stop), failed=stop.why == "hangup")


async def say_alpha(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SAY ALPHA: its option is one letter for how to tell the case."""
    if argument(arguments, 2)[:1] not in ("", *"alunALUN"):
        raise UsageError
    return await say(turn, arguments)


async def say_number(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SAY NUMBER, DIGITS, DATE, TIME and DATETIME."""
    number(arguments[0])
    return await say(turn, arguments)
