"""Execute one command line and answer it, as Asterisk's AGI does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from fastagi_server.testing.asterisk.channel import Channel
from fastagi_server.testing.asterisk.commands import Command, find
from fastagi_server.testing.asterisk.expressions import names_in
from fastagi_server.testing.asterisk.functions import DANGEROUS, function_name
from fastagi_server.testing.asterisk.plan import Plan
from fastagi_server.testing.asterisk.record import Record
from fastagi_server.testing.asterisk.turn import Turn, UsageError
from fastagi_server.testing.asterisk.words import split_words

UNKNOWN = "510 Invalid or unknown command"
DEAD = "511 Command Not Permitted on a dead channel or intercept routine"
USAGE_START = "520-Invalid command syntax.  Proper usage follows:"
USAGE_END = "520 End of proper usage."
NO_USAGE = "520 Invalid command syntax.  Proper usage not available."


class Interpreter:
    """Run commands on a channel.

    `say` sends one line to the server; `interrupted` tells whether the server has sent anything
    that was not read yet. `failed` is set by the first command that fails while the channel is up.
    """

    def __init__(
        self,
        channel: Channel,
        plan: Plan,
        record: Record,
        *,
        say: Callable[[str], Awaitable[None]],
        interrupted: Callable[[], bool],
    ) -> None:
        self._channel = channel
        self._plan = plan
        self._record = record
        self._say = say
        self._turn = Turn(channel, interrupted, say)
        self._hang_up_during = plan.hang_up_during
        self.failed = False

    async def execute(self, line: str, *, dead: bool) -> None:
        """Execute `line`; raise `StackOverwrittenError` where Asterisk would have crashed."""
        found = find(split_words(line))
        if found is None:
            await self._say(UNKNOWN)
            return
        command, arguments = found
        if (dead or self._plan.intercepted) and not command.dead:
            await self._say(DEAD)
        elif command.takes(arguments):
            self._warn_of_shell(command, arguments)
            await self._run(command, arguments)
        else:
            await self._explain(command)

    async def _run(self, command: Command, arguments: Sequence[str]) -> None:
        if self._hang_up_during is not None and command.name == self._hang_up_during.upper():
            self._hang_up_during = None
            # Not at once: the command must have found the call up when it began.
            asyncio.get_running_loop().call_soon(self._channel.hang_up)
        try:
            reply = await command.run(self._turn, arguments)
        except UsageError:
            await self._explain(command)
            return
        self.failed = self.failed or (reply.failed and not self._channel.hung_up)
        if reply.text is not None:
            await self._say(f"200 result={reply.text}")

    async def _explain(self, command: Command) -> None:
        if not self._plan.usage:
            await self._say(NO_USAGE)
            return
        await self._say(USAGE_START)
        await self._say(f"Usage: {command.name} {command.syntax}".rstrip())
        await self._say(USAGE_END)

    def _warn_of_shell(self, command: Command, arguments: Sequence[str]) -> None:
        if command.name == "GET FULL VARIABLE":
            names = names_in(arguments[0])
        elif command.name in ("GET VARIABLE", "SET VARIABLE"):
            names = [arguments[0]]
        else:
            return
        for name in names:
            if function_name(name) in DANGEROUS:
                self._record.violation(f"{function_name(name)} runs on the PBX: {name}")
