"""The SPEECH commands: all answer 0 where no engine is loaded, as in Asterisk as it is packaged."""

from collections.abc import Sequence

from fastagi_server.testing.asterisk.turn import Reply, Turn


async def create(turn: Turn, _arguments: Sequence[str]) -> Reply:
    """SPEECH CREATE."""
    if turn.channel.pbx.recognises is None:
        return Reply("0")
    turn.channel.speech = True
    return Reply("1")


async def destroy(turn: Turn, _arguments: Sequence[str]) -> Reply:
    """SPEECH DESTROY."""
    reply = await change(turn, ())
    turn.channel.speech = False
    return reply


async def change(turn: Turn, _arguments: Sequence[str]) -> Reply:
    """SPEECH SET and the four that handle grammars: 1 while there is a speech object."""
    return Reply("1" if turn.channel.speech else "0")


async def recognize(turn: Turn, arguments: Sequence[str]) -> Reply:
    """SPEECH RECOGNIZE: hears what `Pbx.recognises` says, once the prompt is over."""
    if not turn.channel.speech:
        return Reply("0")
    stop = await turn.channel.wait(turn.channel.pbx.sounds.get(arguments[0], 0.0))
    if stop.why == "hangup":
        return Reply("1 (hangup) endpos=0")
    heard = turn.channel.pbx.recognises
    return Reply(f'1 (speech) endpos=0 results=1 score0=900 text0="{heard}" grammar0=')
