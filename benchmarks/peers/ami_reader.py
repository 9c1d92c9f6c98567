"""A reader of one replayed stream: `ami_reader.py KIND PORT CALLS`; a line of JSON at its end.

`ours` is the link as the service runs it, with its queue and its typed events, and `panoramisk`
that library's Manager with one callback for all events: these do nothing with an event but look at
its time. `supervised` is our link with supervision behind it, whose records are in memory, and
`recorded` the same with records in SQLite. All run on the same event loop. The line has the events
taken, the processor time and the time from the first Ping until the last event was done with, and
how late the events were.
"""

import asyncio
import json
import sys
import time
from array import array
from typing import TYPE_CHECKING

import uvloop
from panoramisk import Manager, Message

from fastagi_server.ami.events import Event, UserEvent
from fastagi_server.ami.link import AmiLink
from fastagi_server.ami.snapshots import AsteriskRun
from fastagi_server.telemetry.measures import Measures

if TYPE_CHECKING:
    from benchmarks.peers.ami_supervised import Supervised

END_SECONDS = 120.0


class Meter:
    """Counts events and keeps how late each was, in seconds."""

    def __init__(self) -> None:
        self.late = array("d")
        self.done = asyncio.Event()
        self._cpu = self._wall = 0.0

    def take(self, at: float) -> None:
        """Note an event of that Unix time."""
        self.late.append(time.time() - at)

    def begin(self) -> None:
        """The stream is about to start."""
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def report(self) -> str:
        """The line of JSON."""
        cpu = time.process_time() - self._cpu
        wall = time.perf_counter() - self._wall
        late = sorted(self.late)
        return json.dumps(
            {
                "events": len(late),
                "cpu_seconds": cpu,
                "wall_seconds": wall,
                "late_p99": late[len(late) * 99 // 100],
                "late_most": late[-1],
            }
        )


async def read_with_link(
    port: int, meter: Meter, measures: Measures, supervised: "Supervised | None" = None
) -> None:
    """Our link, and supervision behind it, whose work after the last event counts too."""
    up = asyncio.Event()
    supervision = None if supervised is None else supervised.supervision

    def take(event: Event) -> None:
        meter.take(event.at.timestamp())
        if supervision is not None:
            supervision.receive(event)
        if isinstance(event, UserEvent):
            meter.done.set()

    async def connected(run: AsteriskRun) -> None:
        if supervision is not None:
            await supervision.connected(run)
        up.set()

    link = AmiLink(
        host="127.0.0.1",
        port=port,
        username="bench",
        secret="bench",  # noqa: S106 - of a replay on loopback
        on_event=take,
        on_connected=connected,
        on_lost=lambda _reason: None,
        measures=measures,
        ping_seconds=END_SECONDS,
    )
    tasks = [asyncio.create_task(link.run())]
    if supervision is not None:
        supervision.attach(link)
    await asyncio.wait_for(up.wait(), END_SECONDS)
    if supervised is not None:
        await supervised.register()
        tasks.append(asyncio.create_task(supervised.supervision.run()))
    meter.begin()
    await link.action("Ping")
    await asyncio.wait_for(meter.done.wait(), END_SECONDS)
    if supervised is not None:
        await asyncio.wait_for(supervised.finish(), END_SECONDS)
    report = meter.report()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    print(report)


async def read_with_panoramisk(port: int, meter: Meter) -> None:
    """The library as its documentation has it."""
    logged_in = asyncio.Event()

    def take(_manager: Manager, message: Message) -> None:
        meter.take(float(message.get("Timestamp") or time.time()))
        if message.event == "UserEvent":
            meter.done.set()

    manager = Manager(
        loop=asyncio.get_running_loop(),
        host="127.0.0.1",
        port=port,
        username="bench",
        secret="bench",  # noqa: S106 - of a replay on loopback
        ping_delay=3600,
        on_login=lambda _manager: logged_in.set(),
    )
    manager.register_event("*", take)
    await manager.connect()
    await logged_in.wait()
    meter.begin()
    manager.send_action({"Action": "Ping"})
    await asyncio.wait_for(meter.done.wait(), END_SECONDS)
    print(meter.report())
    manager.close()


async def read_with_supervision(
    port: int, meter: Meter, measures: Measures, calls: int, *, in_store: bool
) -> None:
    """Our link with supervision behind it."""
    from benchmarks.peers.ami_supervised import supervise  # noqa: PLC0415 - only here it is needed

    async with supervise(calls, measures, in_store=in_store) as supervised:
        await read_with_link(port, meter, measures, supervised)
        supervised.check()


async def main(kind: str, port: int, calls: int) -> None:
    """Read one stream."""
    meter, measures = Meter(), Measures()
    match kind:
        case "panoramisk":
            await read_with_panoramisk(port, meter)
        case "supervised" | "recorded":
            in_store = kind == "recorded"
            await read_with_supervision(port, meter, measures, calls, in_store=in_store)
        case _:
            await read_with_link(port, meter, measures)
    if measures.drops.values:
        raise SystemExit(f"events were dropped: {measures.drops.values}")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
