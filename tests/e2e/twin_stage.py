"""Play one AGI scene with the real Asterisk and with the fake one, and note what each says."""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Protocol, cast

from fastagi_server.testing.fake_asterisk import FakeAsterisk, Pbx, Subroutine
from lab.asterisk import Asterisk

SCENE_SECONDS = 30.0


class Caller(Protocol):
    """The other side of the channel, real or not."""

    async def under_way(self, commands: int) -> None:
        """Wait until so many commands were begun."""
        ...

    async def hang_up(self) -> None:
        """Hang up."""
        ...


class Peer:
    """The server's end of a session, whichever Asterisk is at the other."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        caller: "Caller",
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.caller = caller
        self.sent = 0
        self.heard: list[str] = []

    async def lines(self, count: int) -> None:
        """Note so many lines."""
        for _ in range(count):
            self.heard.append(masked((await self.reader.readline()).decode().rstrip("\n")))

    async def reply(self) -> None:
        """Note one reply: an interim line and a usage block are parts of it."""
        line = ""
        while not line.startswith(("200 ", "510 ", "511 ", "520 ")):
            line = (await self.reader.readline()).decode().rstrip("\n")
            assert line or not self.reader.at_eof(), self.heard
            if re.match(r"\d{3}", line):
                self.heard.append(masked(line))

    async def ask(self, command: str) -> None:
        """Send a command and note its reply."""
        self.send(f"{command}\n")
        self.heard.append(f"> {command}")
        await self.reply()

    def send(self, text: str) -> None:
        """Send bytes in one segment."""
        self.sent += text.count("\n")
        self.writer.write(text.encode())

    async def under_way(self) -> None:
        """Wait until Asterisk has begun with the last command."""
        await self.caller.under_way(self.sent)

    async def hang_up(self) -> None:
        """Let the caller hang up, once the last command is under way."""
        await self.under_way()
        await self.caller.hang_up()

    async def rest(self) -> None:
        """Half-close and note all that still comes."""
        with suppress(OSError):
            self.writer.write_eof()
        await self.end()

    async def end(self) -> None:
        """Note all that comes until the end of the stream."""
        text = (await self.reader.read()).decode()
        self.heard += [masked(line) for line in text.splitlines()]


Scene = Callable[[Peer], Awaitable[None]]


def masked(line: str) -> str:
    """Take out what two sessions cannot have in common."""
    line = re.sub(r"endpos=\d+", "endpos=N", line)
    return re.sub(r"^(agi_\w+): .*", r"\1", line)


@asynccontextmanager
async def stage(
    scene: Scene, caller: Caller
) -> AsyncGenerator[tuple[int, "asyncio.Future[list[str]]"]]:
    """Serve one session with `scene`; give the port and what will have been heard."""
    heard: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer, caller)
        try:
            async with asyncio.timeout(SCENE_SECONDS):
                while (line := await reader.readline()) != b"\n":
                    peer.heard.append(masked(line.decode().rstrip("\n")))
                await scene(peer)
            heard.set_result(peer.heard)
        except Exception as error:  # noqa: BLE001 - handed to the test
            heard.set_exception(error)
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield cast("tuple[str, int]", server.sockets[0].getsockname())[1], heard


class RealCaller:
    """A channel of the lab's Asterisk."""

    def __init__(self, asterisk: Asterisk) -> None:
        self.control = asterisk.control
        self.channel = ""

    def dial(self, extension: str) -> None:
        """Start the channel."""
        self.channel = self.control.originate(
            "Local/wait@lab", context="faithful", extension=extension
        )

    async def under_way(self, commands: int) -> None:
        """Wait a moment: nothing outside Asterisk tells that a command has begun."""
        del commands
        await asyncio.sleep(0.2)

    async def hang_up(self) -> None:
        """Hang up over ARI."""
        await asyncio.to_thread(self.control.hang_up, self.channel)


class FakeCaller:
    """A fake channel."""

    def __init__(self, fake: FakeAsterisk) -> None:
        self.fake = fake

    async def under_way(self, commands: int) -> None:
        """Wait until the fake has taken up so many commands."""
        await self.fake.channel.signal.until(lambda: len(self.fake.commands) >= commands)

    async def hang_up(self) -> None:
        """Hang up."""
        self.fake.channel.hang_up()


async def play_real(asterisk: Asterisk, extension: str, scene: Scene) -> list[str]:
    """Play a scene with the real Asterisk."""
    control, log_size = asterisk.control, len(asterisk.log())
    caller = RealCaller(asterisk)
    async with stage(scene, caller) as (port, heard):
        asterisk.set_global("FAITHFUL", f"agi://127.0.0.1:{port}")
        await asyncio.to_thread(caller.dial, extension)
        lines = await heard
    found = await asyncio.to_thread(
        asterisk.wait_for_log, r"FAITHFUL=(SUCCESS|FAILURE|HANGUP)", after=log_size
    )
    for left in control.channels():
        with suppress(Exception):
            control.hang_up(left["id"])
    assert asterisk.wait_idle()
    return [*lines, found[1]]


async def play_fake(variables: Mapping[str, str], scene: Scene, *, dead: bool = False) -> list[str]:
    """Play a scene with the fake one."""
    pbx = Pbx(
        sounds={"beep": 0.44, "demo-congrats": 30.0},
        missing_files={"nofile"},
        subroutines={"faithful-sub,s,1": Subroutine(returns="abc")},
    )
    fake = FakeAsterisk(
        "script?x=1", arguments=("one", "two"), variables=variables, dead=dead, pbx=pbx
    )
    async with stage(scene, FakeCaller(fake)) as (port, heard):
        await fake.run("127.0.0.1", port)
        return [*(await heard), str(fake.status)]
