"""A TCP proxy on loopback that cuts, stalls, delays, trickles and loses, as a test tells it to."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, cast

CONNECT_SECONDS = 5.0
CLOSE_SECONDS = 1.0
CHUNK_BYTES = 65536

Direction = Literal["to server", "to client"]

_RESET = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Conditions:
    """The state of one direction; a change takes effect with the next bytes.

    `delay` (seconds) before each chunk, `chunk` bytes at most at once, `lossy` swallows all,
    `allowance` is how many bytes still pass before the proxy cuts (`None`: no limit). `received`
    and `carried` count what came in and what was passed on.
    """

    delay: float = 0.0
    chunk: int = CHUNK_BYTES
    lossy: bool = False
    allowance: int | None = None
    reset: bool = False
    received: int = 0
    carried: int = 0
    flowing: asyncio.Event = field(default_factory=asyncio.Event)


class TcpProxy:
    """Stand between clients and the server at `host`:`port`; an async context manager.

    Clients connect to `self.host`:`self.port`, known after entry. Conditions hold for every
    connection, present and future. `connections` counts those accepted, `failures` those for which
    the server could not be reached.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.connections = 0
        self.failures = 0
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._conditions: dict[Direction, Conditions] = {
            "to server": Conditions(),
            "to client": Conditions(),
        }
        self.resume()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.refuse()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=CLOSE_SECONDS)

    def received(self, direction: Direction) -> int:
        """Give how many bytes have come in for a direction, those that are held back included."""
        return self._conditions[direction].received

    def carried(self, direction: Direction) -> int:
        """Give how many bytes were passed on in a direction."""
        return self._conditions[direction].carried

    async def accept(self) -> None:
        """Accept connections, on the port there was before, if any."""
        self._server = await asyncio.start_server(self._accepted, self.host, self.port)
        self.port = cast("tuple[str, int]", self._server.sockets[0].getsockname())[1]

    async def refuse(self) -> None:
        """Refuse new connections, as a server that is down; those that are open stay."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def stall(self, direction: Direction | None = None) -> None:
        """Hold bytes back, in one direction or both, until `resume`."""
        for conditions in self._chosen(direction):
            conditions.flowing.clear()

    def resume(self, direction: Direction | None = None) -> None:
        """Let bytes pass again, those held back included."""
        for conditions in self._chosen(direction):
            conditions.flowing.set()

    def delay(self, seconds: float, direction: Direction | None = None) -> None:
        """Hold each chunk for `seconds`."""
        for conditions in self._chosen(direction):
            conditions.delay = seconds

    def trickle(self, chunk: int, direction: Direction | None = None) -> None:
        """Pass on at most `chunk` bytes at once, each in a segment of its own."""
        for conditions in self._chosen(direction):
            conditions.chunk = chunk

    def lose(self, direction: Direction | None = None) -> None:
        """Swallow all that comes from now on, as a network that drops packets for ever."""
        for conditions in self._chosen(direction):
            conditions.lossy = True

    def cut_after(self, size: int, direction: Direction, *, reset: bool = False) -> None:
        """Cut all connections once, as soon as `size` more bytes have passed in a direction."""
        conditions = self._conditions[direction]
        conditions.allowance = size
        conditions.reset = reset

    def cut(self, *, reset: bool = False) -> None:
        """Close all connections towards both ends at once, by FIN or by RST."""
        for writer in list(self._writers):
            if reset:
                peer = cast("socket.socket", writer.get_extra_info("socket"))
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                writer.transport.abort()
            else:
                writer.close()

    def _chosen(self, direction: Direction | None) -> list[Conditions]:
        if direction is None:
            return list(self._conditions.values())
        return [self._conditions[direction]]

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._handle(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._writers.add(far_writer)
            try:
                async with asyncio.TaskGroup() as pumps:
                    pumps.create_task(self._pump(reader, far_writer, "to server"))
                    pumps.create_task(self._pump(far_reader, writer, "to client"))
            finally:
                self._forget(far_writer)
        except (OSError, TimeoutError):
            self.failures += 1
        finally:
            self._forget(writer)

    def _forget(self, writer: asyncio.StreamWriter) -> None:
        writer.close()
        self._writers.discard(writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction
    ) -> None:
        conditions = self._conditions[direction]
        try:
            while data := await reader.read(conditions.chunk):
                conditions.received += len(data)
                await conditions.flowing.wait()
                await asyncio.sleep(conditions.delay)
                await self._pass_on(data, writer, conditions)
            await conditions.flowing.wait()
            if conditions.lossy:
                # An end that is lost is never told; only the end of the proxy ends this wait.
                await asyncio.get_running_loop().create_future()
            writer.write_eof()
        except OSError:
            # One end is gone: the other shall see it at once.
            self._forget(writer)

    async def _pass_on(
        self, data: bytes, writer: asyncio.StreamWriter, conditions: Conditions
    ) -> None:
        if conditions.lossy:
            return
        allowed = data if conditions.allowance is None else data[: conditions.allowance]
        writer.write(allowed)
        conditions.carried += len(allowed)
        await writer.drain()
        if conditions.allowance is not None:
            conditions.allowance -= len(allowed)
            if conditions.allowance == 0:
                conditions.allowance = None
                self.cut(reset=conditions.reset)
