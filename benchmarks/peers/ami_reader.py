"""A reader of one replayed stream: `ami_reader.py ours|panoramisk PORT`; a line of JSON at its end.

Both do nothing with an event but look at its time. `ours` is the link as the service runs it, with
its queue and its typed events; `panoramisk` is its Manager with one callback for all events. Both
run on the same event loop. The line has the events taken, the processor time and the time from the
first Ping to the last event, and how late the events were.
"""

import asyncio
import json
import sys
import time
from array import array

import uvloop
from panoramisk import Manager, Message

from fastagi_server.ami.events import Event, UserEvent
from fastagi_server.ami.link import AmiLink
from fastagi_server.ami.snapshots import AsteriskRun
from fastagi_server.telemetry.measures import Measures

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


async def read_with_link(port: int, meter: Meter) -> dict[str, float]:
    """Our link."""
    up = asyncio.Event()
    measures = Measures()

    def take(event: Event) -> None:
        meter.take(event.at.timestamp())
        if isinstance(event, UserEvent):
            meter.done.set()

    async def connected(_run: AsteriskRun) -> None:
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
    running = asyncio.create_task(link.run())
    await up.wait()
    meter.begin()
    await link.action("Ping")
    await asyncio.wait_for(meter.done.wait(), END_SECONDS)
    report = meter.report()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    print(report)
    return {str(key): value for key, value in measures.drops.values.items()}


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


async def main(kind: str, port: int) -> None:
    """Read one stream."""
    meter = Meter()
    if kind == "panoramisk":
        await read_with_panoramisk(port, meter)
        return
    drops = await read_with_link(port, meter)
    if drops:
        raise SystemExit(f"events were dropped: {drops}")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2])))
