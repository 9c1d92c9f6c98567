"""AGI commands that are over at once: variables, database, dialplan position, call state."""

from collections.abc import Sequence

from fastagi_server.testing.asterisk.applications import execute
from fastagi_server.testing.asterisk.channel import UP, Subroutine
from fastagi_server.testing.asterisk.expressions import evaluate
from fastagi_server.testing.asterisk.functions import read, set_caller_id, write
from fastagi_server.testing.asterisk.text import decode, encode, says_yes
from fastagi_server.testing.asterisk.turn import Reply, Turn, argument, number

GET_VARIABLE_BYTES = 1023
"""GET VARIABLE cuts a value after so many bytes; GET FULL VARIABLE does not."""


def _value(value: str | None) -> Reply:
    return Reply("0" if value is None else f"1 ({value})")


async def answer(turn: Turn, _arguments: Sequence[str]) -> Reply:
    """ANSWER."""
    turn.channel.state = UP
    return Reply("0")


async def channel_status(turn: Turn, arguments: Sequence[str]) -> Reply:
    """CHANNEL STATUS: only the channel itself exists."""
    known = not arguments or arguments[0] == turn.channel.name
    return Reply(str(turn.channel.state) if known else "-1")


async def database_del(turn: Turn, arguments: Sequence[str]) -> Reply:
    """DATABASE DEL: Asterisk 22 says 1 whether or not there was a value."""
    turn.channel.pbx.database.delete(arguments[0], arguments[1])
    return Reply("1")


async def database_deltree(turn: Turn, arguments: Sequence[str]) -> Reply:
    """DATABASE DELTREE: 0 means that something was deleted, the opposite of its documentation."""
    deleted = turn.channel.pbx.database.delete_tree(*arguments)
    return Reply("0" if deleted else "1")


async def database_get(turn: Turn, arguments: Sequence[str]) -> Reply:
    """DATABASE GET."""
    return _value(turn.channel.pbx.database.get(arguments[0], arguments[1]))


async def database_put(turn: Turn, arguments: Sequence[str]) -> Reply:
    """DATABASE PUT."""
    turn.channel.pbx.database.put(*arguments)
    return Reply("1")


async def execute_application(turn: Turn, arguments: Sequence[str]) -> Reply:
    """EXEC: one word of options, expanded only while AGIEXECFULL says so."""
    options = argument(arguments, 1)
    if says_yes(turn.channel.variables.get("AGIEXECFULL", "")):
        options = evaluate(options, lambda name: read(turn.channel, name))
    return Reply(str(await execute(turn.channel, arguments[0], options)))


async def get_full_variable(turn: Turn, arguments: Sequence[str]) -> Reply:
    """GET FULL VARIABLE: an expression, not a name."""
    if len(arguments) > 1 and arguments[1] != turn.channel.name:
        return Reply("0")
    return Reply(f"1 ({evaluate(arguments[0], lambda name: read(turn.channel, name))})")


async def get_variable(turn: Turn, arguments: Sequence[str]) -> Reply:
    """GET VARIABLE."""
    value = read(turn.channel, arguments[0])
    return _value(None if value is None else decode(encode(value)[:GET_VARIABLE_BYTES]))


async def gosub(turn: Turn, arguments: Sequence[str]) -> Reply:
    """GOSUB: a label that does not exist is answered without the interim line."""
    channel = turn.channel
    subroutine = channel.pbx.subroutines.get(",".join(arguments[:3]))
    if subroutine is None:
        return Reply("-1 Gosub label not found", failed=True)
    await turn.interim("100 result=0 Trying...")
    return await _run_subroutine(turn, subroutine)


async def _run_subroutine(turn: Turn, subroutine: Subroutine) -> Reply:
    stop = await turn.channel.wait(subroutine.seconds)
    completes = subroutine.completes and stop.why != "hangup"
    turn.channel.variables["GOSUB_RETVAL"] = subroutine.returns if completes else ""
    return Reply("0 Gosub complete" if completes else "0 Gosub complete (abnormal exit)")


async def hang_up(turn: Turn, arguments: Sequence[str]) -> Reply:
    """HANGUP: only the channel itself exists."""
    if arguments and arguments[0] != turn.channel.name:
        return Reply("-1")
    turn.channel.hang_up()
    return Reply("1")


async def nothing(_turn: Turn, _arguments: Sequence[str]) -> Reply:
    """NOOP, ASYNCAGI BREAK, and what this channel has no technology for."""
    return Reply("0")


async def verbose(_turn: Turn, _arguments: Sequence[str]) -> Reply:
    """VERBOSE."""
    return Reply("1")


async def set_auto_hangup(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SET AUTOHANGUP: seconds, with a fraction."""
    try:
        seconds = float(arguments[0])
    except ValueError:
        seconds = number(arguments[0])
    turn.channel.hang_up_in(seconds / turn.channel.pbx.speed)
    return Reply("0")


async def set_caller(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SET CALLERID: always 1, even without an argument."""
    if arguments:
        set_caller_id(turn.channel, arguments[0])
    return Reply("1")


async def set_context(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SET CONTEXT: not checked against the dialplan."""
    turn.channel.context = arguments[0]
    return Reply("0")


async def set_extension(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SET EXTENSION: not checked against the dialplan."""
    turn.channel.extension = arguments[0]
    return Reply("0")


async def set_priority(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SET PRIORITY: a number or a label; an unknown label is a usage error."""
    label = turn.channel.pbx.labels.get(arguments[0])
    turn.channel.priority = (number(arguments[0]) if label is None else label) - 1
    return Reply("0")


async def set_variable(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SET VARIABLE: always 1, even where a function could not be written."""
    write(turn.channel, arguments[0], arguments[1])
    return Reply("1")
