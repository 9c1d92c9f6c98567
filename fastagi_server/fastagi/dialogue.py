"""Commands and replies of one session: one in flight, each with its deadline."""

import asyncio
import socket
from typing import Any, cast

import structlog

from fastagi_server.agi.command import Command, WhenInterrupted
from fastagi_server.agi.connection import AgiConnection
from fastagi_server.agi.errors import AgiHangupError, AgiStateError, AgiTimeoutError
from fastagi_server.agi.events import State
from fastagi_server.agi.replies import SUCCESS, Reply
from fastagi_server.deadlines import DeadlineWatch

_log = structlog.stdlib.get_logger("fastagi")

TCP_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
"""Linux only. Without it a reply in two writes costs 40 ms: Asterisk waits for our acknowledgement
of the first, which the kernel delays."""


INTERRUPT_AGAIN_SECONDS = 0.05
"""Between two markers; the second is needed only within a millisecond of the prompt's start."""


class Dialogue:
    """Sends commands over `transport` and hands each reply to the one who waits for it.

    `settle_seconds` is how long a command that nobody waits for any more may still keep the
    session. `receive` and `fail` are the session's: it reads the socket.
    """

    __slots__ = (
        "_awaited",
        "_connection",
        "_in_flight",
        "_loop",
        "_prompt",
        "_settle_seconds",
        "_transport",
        "_waiter",
        "_watch",
        "deadline",
    )

    def __init__(
        self,
        connection: AgiConnection,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        watch: DeadlineWatch,
        settle_seconds: float,
    ) -> None:
        self._connection = connection
        self._transport = transport
        self._loop = loop
        self._watch = watch
        self.deadline = 0.0
        self._awaited = "", 0.0
        self._settle_seconds = settle_seconds
        self._waiter: asyncio.Future[Reply | None] | None = None
        self._in_flight: Command[Any] | None = None
        self._prompt = False

    @property
    def hung_up(self) -> bool:
        """Whether the channel is known to be dead."""
        return self._connection.dead

    async def exchange(self, command: Command[Any]) -> Reply:
        """Send a command and wait for its reply; see `AgiChannel.execute` for the errors."""
        if not await self.settle():
            raise AgiTimeoutError("a command before this one was never answered")
        self._send(command)
        return cast("Reply", await self._wait(command.seconds, command.kind.name))

    async def start(self, prompt: Command[Any]) -> None:
        """Send an interruptible command and do not wait for it."""
        if not await self.settle():
            raise AgiTimeoutError("a command before this prompt was never answered")
        self._send(prompt)
        self._prompt = True

    async def stop_prompt(self) -> None:
        """End what `start` began, if it is still going on and the caller is still there."""
        connection = self._connection
        if self._prompt and not connection.dead and connection.state is not State.CLOSED:
            await self.settle()

    async def settle(self) -> bool:
        """Bring the connection to rest; whether a command can be sent now.

        A prompt is interrupted; a command whose waiter was cancelled is waited for a moment.
        Raises `AgiStateError` while another task waits, `AgiHangupError` without a connection.
        """
        if self._waiter is not None and not self._waiter.done():
            raise AgiStateError("one command at a time: another task waits for its reply")
        connection = self._connection
        if connection.state is State.CLOSED:
            raise AgiHangupError("the connection to Asterisk is gone")
        if connection.state is State.IDLE and not connection.needs_sync:
            return True
        if connection.state is State.SYNCING or self._interruptible:
            return await self._interrupt()
        if connection.state is State.IDLE:
            self._transport.write(connection.synchronise())
        elif connection.state is not State.AWAITING:
            return True  # the session is over, as `send` will say
        return await self._settles_within(self._settle_seconds)

    async def _interrupt(self) -> bool:
        """Send markers until one comes back: Asterisk overlooks one read with the prompt itself."""
        self._prompt = False
        deadline = self._loop.time() + self._settle_seconds
        while self._loop.time() < deadline:
            self._transport.write(self._connection.interrupt())
            if await self._settles_within(INTERRUPT_AGAIN_SECONDS):
                return True
        return False

    async def _settles_within(self, seconds: float) -> bool:
        try:
            await self._wait(seconds, "a command in flight")
        except AgiTimeoutError:
            return False
        return True

    def receive(self, reply: Reply | None) -> None:
        """Hand over a reply, or None for the marker that ends an interruption."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(reply)
        elif self._prompt and reply is not None:
            self._prompt = False
            # a prompt that the caller's hang-up ended is -1 too, but somewhere behind its start
            if reply.code != SUCCESS or (reply.result == "-1" and not reply.end_position):
                line = self._in_flight.line if self._in_flight else b""
                _log.warning("prompt_not_played", command=line.decode("utf-8", "replace").strip())

    def fail(self, error: AgiHangupError) -> None:
        """Wake the one who waits: no reply will come any more."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(error)

    @property
    def _interruptible(self) -> bool:
        command = self._in_flight
        return (
            command is not None
            and self._connection.state is State.AWAITING
            and command.kind.when_interrupted is not WhenInterrupted.FINISHES
            and not self._connection.dead
        )

    def _send(self, command: Command[Any]) -> None:
        line = self._connection.send(command)
        self._in_flight = command
        if command.kind.answers_late and TCP_QUICKACK is not None:
            self._transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, TCP_QUICKACK, 1)
        self._transport.write(line)

    async def _wait(self, seconds: float | None, what: str) -> Reply | None:
        waiter: asyncio.Future[Reply | None] = self._loop.create_future()
        self._waiter = waiter
        if seconds is None:
            return await waiter
        self._awaited = what, seconds
        self._watch.watch(self, self._loop.time() + seconds)
        try:
            return await waiter
        finally:
            self._watch.forget(self)

    def expire(self) -> None:
        """The reply did not come in time."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            what, seconds = self._awaited
            waiter.set_exception(AgiTimeoutError(f"{what} was not answered within {seconds:g} s"))
