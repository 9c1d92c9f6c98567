"""One FastAGI session as Asterisk runs it: connect, environment, commands, end."""

import asyncio
from typing import Literal

from fastagi_server.testing.asterisk.channel import Channel
from fastagi_server.testing.asterisk.environment import environment, line_limit
from fastagi_server.testing.asterisk.interpreter import Interpreter
from fastagi_server.testing.asterisk.plan import Answer, Plan
from fastagi_server.testing.asterisk.record import Line, Observer, Record
from fastagi_server.testing.asterisk.stdio import CommandLine, StdioReader
from fastagi_server.testing.asterisk.text import decode, encode, says_no, says_yes
from fastagi_server.testing.asterisk.wire import Wire
from fastagi_server.testing.asterisk.words import StackOverwrittenError

CONNECT_SECONDS = 2.0
SPIN_SECONDS = 0.05
"""A line cut by the network is whole again sooner than this; one that was never ended is not."""

Status = Literal["SUCCESS", "FAILURE", "HANGUP"]
"""The values of AGISTATUS."""


class SessionOverError(Exception):
    """Raised inside to leave the loop, with the status that the session ends with."""

    def __init__(self, status: Status) -> None:
        super().__init__(status)
        self.status: Status = status


class Session:
    """Run one session on `channel`.

    `status` is AGISTATUS, `None` while the session runs; `record` holds what was said;
    `crashed` and `spun` tell that a command would have crashed Asterisk or kept a core busy.
    """

    def __init__(self, channel: Channel, plan: Plan, observer: Observer | None = None) -> None:
        self.channel = channel
        self.plan = plan
        self.record = Record(self._observe)
        self._observer = observer
        self.status: Status | None = None
        self.crashed = False
        self.spun = False
        self._reader = StdioReader(line_limit(plan.agi_version))
        self._wire = Wire(self._reader, channel.signal)
        self._interpreter = Interpreter(
            channel,
            plan,
            self.record,
            say=self._say,
            interrupted=lambda: self._reader.readable,
        )
        self._dead = channel.hung_up
        self._hang_up: asyncio.TimerHandle | None = None
        self._hang_up_before = plan.hang_up_before
        self._tells_hangup = not says_no(channel.variables.get("AGISIGHUP", ""))
        self._leaves_on_hangup = says_yes(channel.variables.get("AGIEXITONHANGUP", ""))

    def _observe(self, line: Line) -> None:
        self.channel.signal.notify()
        if self._observer is not None:
            self._observer(line)

    async def run(self, host: str, port: int) -> None:
        """Run to the end of the session; without a connection the status is FAILURE at once."""
        self.record.start()
        status: Status = "FAILURE"
        try:
            await self._connect(host, port)
            await self._send_environment(host, port)
            status = await self._serve()
            await self._say_goodbye()
        except SessionOverError as over:
            status = over.status
        except asyncio.CancelledError:
            if self._reader.stuck:
                self.record.violation("a command stayed in the buffer, unseen behind another")
            raise
        finally:
            if self._hang_up is not None:
                self._hang_up.cancel()
            if self._wire.connected:
                await self._wire.close()
        self.channel.variables["AGISTATUS"] = status
        self.status = status
        self.record.note("--", f"AGISTATUS={status}")

    def send(self, data: bytes) -> None:
        """Send bytes that nobody asked for."""
        self.record.note("->", decode(data.rstrip(b"\n")))
        self._wire.transport.write(data)

    async def reset(self) -> None:
        """Break the connection with a TCP reset."""
        self.record.note("--", "reset by Asterisk")
        await self._wire.close(reset=True)

    async def _connect(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await loop.create_connection(lambda: self._wire, host, port)
        except (OSError, TimeoutError) as error:
            self.record.note("--", f"cannot connect: {str(error) or 'timed out'}")
            raise SessionOverError("FAILURE") from None
        self.record.note("--", "connected")
        if self.plan.hang_up_after is not None:
            self._hang_up = loop.call_later(self.plan.hang_up_after, self.channel.hang_up)

    async def _say(self, line: str) -> None:
        await self._write(encode(f"{line}\n"))

    async def _write(self, data: bytes) -> None:
        """Send one line, or a whole raw answer, in a write of its own."""
        for line in data.splitlines():
            self.record.note("->", decode(line))
        if not await self._wire.write(data):
            self.record.violation("the server does not read: Asterisk loses the rest of the line")

    async def _send_environment(self, host: str, port: int) -> None:
        faults = self.plan.faults
        lines = self._environment(host, port)
        if faults.cut_environment_after is not None:
            await self._write(b"".join(lines)[: faults.cut_environment_after])
            raise SessionOverError("FAILURE")
        for line in lines:
            if faults.pause_between_bytes:
                await self._trickle(line)
            else:
                await self._write(line)

    def _environment(self, host: str, port: int) -> list[bytes]:
        faults = self.plan.faults
        if faults.environment is not None:
            return faults.environment.splitlines(keepends=True)
        address = f"[{host}]" if ":" in host else host
        lines = environment(
            self.channel,
            request=self.plan.request or f"agi://{address}:{port}/{self.plan.script}",
            script=self.plan.script,
            version=self.plan.agi_version,
            arguments=self.plan.arguments,
        )
        return [*lines[:-1], *faults.header_lines, lines[-1]]

    async def _trickle(self, line: bytes) -> None:
        self.record.note("->", decode(line.rstrip(b"\n")))
        for index in range(len(line)):
            await self._wire.write(line[index : index + 1])
            pause = self.plan.faults.pause_between_bytes
            await self.channel.signal.until(lambda: self._reader.ended, pause)

    async def _serve(self) -> Status:
        """Execute commands until one side ends the session; give the status."""
        began_dead = self._dead
        while True:
            await self._wait_for_work()
            if self._hangup_unseen:
                await self._notice_hangup()
                continue
            line = await self._next_line()
            if line.at_end and not line.data:
                self.record.note("--", "end of file from the server")
                break
            await self._obey(decode(line.data))
        if self._interpreter.failed:
            return "FAILURE"
        return "HANGUP" if self._dead and not began_dead else "SUCCESS"

    @property
    def _hangup_unseen(self) -> bool:
        return self.channel.hung_up and not self._dead

    async def _wait_for_work(self) -> None:
        was_stuck = self._reader.stuck
        await self.channel.signal.until(lambda: self._reader.readable or self._hangup_unseen)
        if was_stuck and self._reader.readable and not self._reader.ended:
            self.record.violation("a command waited in the buffer, unseen behind another")

    async def _notice_hangup(self) -> None:
        self._dead = True
        self.record.note("--", "hung up")
        if self._tells_hangup:
            await self._say("HANGUP")
        if self._leaves_on_hangup:
            await self._say_goodbye()
            raise SessionOverError("FAILURE" if self._interpreter.failed else "HANGUP")

    async def _next_line(self) -> CommandLine:
        """Read one line; a hang-up goes unseen meanwhile, as in Asterisk's busy loop."""
        while (line := self._reader.next_line()) is None:
            if not await self.channel.signal.until(lambda: self._reader.readable, SPIN_SECONDS):
                self.spun = True
                self.record.violation("part of a line, or a NUL: Asterisk keeps a core busy")
                await self.channel.signal.until(lambda: self._reader.readable)
        self._wire.read_on()
        return line

    async def _obey(self, line: str) -> None:
        self.record.command(line)
        if line[:7].lower() == "failure":
            if self._reader.held:
                self.record.violation("something was sent after `failure`, which ends the session")
            await self._say_goodbye()
            raise SessionOverError("FAILURE")
        if self._reader.overran:
            self._reader.overran = False
            self.record.violation("a line too long: its excess is executed as the next command")
        if self._hang_up_before and line.upper().startswith(self._hang_up_before.upper()):
            self._hang_up_before = None
            self.channel.hang_up()
            await self._notice_hangup()
        answer = self.plan.faults.answer_to(line)
        if answer is not None:
            await self._answer_falsely(answer)
            return
        try:
            await self._interpreter.execute(line, dead=self._dead)
        except StackOverwrittenError:
            self.crashed = True
            self.record.violation("more than 127 quoted words: Asterisk crashes")
            await self._wire.close(reset=True)
            raise SessionOverError("FAILURE") from None

    async def _answer_falsely(self, answer: Answer) -> None:
        await asyncio.sleep(answer.after_seconds)
        if answer.data:
            await self._write(answer.data)
        if answer.then != "go on":
            await self._wire.close(reset=answer.then == "reset")
            raise SessionOverError("FAILURE")

    async def _say_goodbye(self) -> None:
        """Tell the server that the session is over, as Asterisk does at every end."""
        if self._tells_hangup:
            await self._say("HANGUP")
