"""What a route holds of the call: one Asterisk channel, spoken to through AGI."""

from base64 import b64decode
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

from fastagi_server.agi.command import Command
from fastagi_server.agi.commands import get_full_variable, mset, set_variable, stream_file
from fastagi_server.agi.commands.data import MAX_PAIRS
from fastagi_server.agi.errors import AgiReplyError
from fastagi_server.agi.guards import check_variable_name, line_limit
from fastagi_server.agi.request import AgiRequest
from fastagi_server.fastagi.dialogue import Dialogue

T = TypeVar("T")


class AgiChannel:
    """The channel that runs `AGI()`.

    When the caller hangs up, whatever the route awaits is cancelled. From then on `hung_up` is true
    and only dead-safe commands work, which is what a route's `finally` is for; the others raise
    `AgiDeadChannelError` before a byte is sent.
    """

    __slots__ = ("_dialogue", "request")

    def __init__(self, dialogue: Dialogue, request: AgiRequest) -> None:
        self._dialogue = dialogue
        self.request = request

    @property
    def hung_up(self) -> bool:
        """Whether Asterisk told that the channel is hung up."""
        return self._dialogue.hung_up

    async def execute(self, command: Command[T]) -> T:
        """Send one command and give the value of its reply.

        A prompt that `playing` started is stopped first. Raises `AgiCommandError` when Asterisk
        refuses or fails the command, `AgiTimeoutError` past the command's deadline, `AgiGuardError`
        and `AgiStateError` before anything is sent.
        """
        return command.read(await self._dialogue.exchange(command))

    async def get_variables(self, *names: str) -> dict[str, str]:
        """Read variables and functions, such as `CHANNEL(linkedid)`, in one round trip.

        Any byte survives, newlines included, and there is no limit of 1023 bytes. An unset variable
        is "". Raises as `execute` does.
        """
        # The full stop, taken off again below: Asterisk warns of an attempt to encode nothing.
        encoded = "|".join(f"${{BASE64_ENCODE(.${{{check_variable_name(n)}}})}}" for n in names)
        answer = await self.execute(get_full_variable(encoded))
        parts = answer.split("|")
        if len(parts) != len(names):
            raise AgiReplyError("reply", f"{len(names)} values asked for, {len(parts)} answered")
        try:
            return {
                name: b64decode(part, validate=True)[1:].decode("utf-8", "surrogateescape")
                for name, part in zip(names, parts, strict=True)
            }
        except ValueError:
            raise AgiReplyError("reply", "a value that is not base64") from None

    async def set_variables(self, variables: Mapping[str, str]) -> None:
        """Set variables now; those a route returns are set at its end, at no extra cost.

        As many go out in one MSet as fit into it. Raises as `execute` does.
        """
        for batch in _batches(variables, line_limit(self.request.version)):
            if len(batch) > 1:
                await self.execute(mset(batch))
            else:
                await self.execute(set_variable(*batch.popitem()))

    @asynccontextmanager
    async def playing(self, file: str, escape_digits: str = "") -> AsyncGenerator[None]:
        """Play a prompt while the body works, and stop it the moment the body is done.

            async with channel.playing("please-wait"):
                answer = await slow_question()

        The channel should be answered before. A prompt that ends early leaves silence; one that
        cannot be played is logged and makes AGISTATUS=FAILURE, which is Asterisk's doing.
        """
        await self._dialogue.start(stream_file(file, escape_digits))
        try:
            yield
        finally:
            await self._dialogue.stop_prompt()


def _batches(variables: Mapping[str, str], limit: int) -> Iterator[dict[str, str]]:
    """Divide variables so that the MSet of each part has at most `limit` bytes."""
    batch: dict[str, str] = {}
    size = 0
    for name, value in variables.items():
        length = len(mset({name: value}).line)  # more than it adds to an MSet of several
        if batch and (size + length > limit or len(batch) == MAX_PAIRS):
            yield batch
            batch, size = {}, 0
        batch[name] = value
        size += length
    if batch:
        yield batch
