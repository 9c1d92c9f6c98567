"""Our link, with and without supervision, and bare panoramisk on the same recorded stream."""

import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.isolation import ROOT
from benchmarks.processes import (
    BenchmarkError,
    environment,
    free_port,
    running,
    wait_for_port,
)
from benchmarks.recorded_call import messages
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress

PEERS = ROOT / "benchmarks" / "peers"
PANORAMISK = "panoramisk"
READERS = {
    "ours": "fastagi-server's link",
    PANORAMISK: "panoramisk, one callback",
    "supervised": "with supervision, all calls registered",
    "recorded": "with supervision, records in SQLite",
}
WIRES = ("ours", PANORAMISK)
CPU_LIMIT = 1.2
SUPERVISED_LIMIT = 1.5
LAG_LIMIT_SECONDS = 1.0
CALLS = 4_000
CALLS_A_SECOND = 1_000
READ_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reader made of one stream; times are seconds."""

    events: int
    cpu_seconds: float
    wall_seconds: float
    late_p99: float
    late_most: float


@dataclass(frozen=True, slots=True)
class Stream:
    """So many calls; `chosen` are those of their events that supervision is sent.

    They come as fast as they are read, or `rate` calls a second where it is not 0.
    """

    name: str
    calls: int
    chosen: bool = True
    rate: int = 0

    @property
    def events(self) -> int:
        """How many events are sent."""
        return self.calls * len(messages(chosen=self.chosen))


def reading(rig: Rig) -> Section:
    """Processor time an event, and how late events are at a thousand calls a second."""
    calls = rig.scaled(CALLS)
    chosen = Stream("chosen events", calls)
    stored = Stream("fewer chosen events", calls // 4)
    whole = Stream("all events", calls // 8, chosen=False)
    paced = Stream(f"{CALLS_A_SECOND:,} calls a second", calls, rate=CALLS_A_SECOND)
    found = {
        chosen: _interleave(chosen, rig.rounds, (*WIRES, "supervised")),
        stored: _interleave(stored, 2, (PANORAMISK, "recorded")),
        whole: _interleave(whole, 2, WIRES),
        paced: _interleave(paced, 1, WIRES),
    }
    share, supervised = (_share(found[chosen], kind) for kind in ("ours", "supervised"))
    lag = found[paced]["ours"][0].late_p99
    return Section(
        "Manager events",
        ("stream and reader", "CPU us/call", "of panoramisk", "events/s", "p99 late", "latest"),
        tuple(row for stream, read in found.items() for row in _rows(stream, read)),
        "One call of two phones through the shipped dialplan, recorded from a real Asterisk and "
        f"replayed with new ids: with the {chosen.events // chosen.calls} events that "
        f"dialplan/manager.conf lets through, and with all {whole.events // whole.calls} of them, "
        "of which ours reads the same. Link and panoramisk do nothing with an event but look at "
        "its time; ours makes it a typed value behind a bounded queue. Supervision has each call "
        "in its book and tells of it that it rang, was answered and ended, and then its whole "
        "story: to a book in memory, which is what supervision itself costs, and to the service's "
        f"own store, where that is four transactions on disk, of {stored.calls:,} calls only. All "
        "but the last stream come as fast as they are read, many calls side by side, where no "
        "event has a time of its own.",
        (
            Bar(
                "CPU of reading the manager's events",
                f"at most {CPU_LIMIT} of panoramisk with one callback",
                f"{share:.2f}",
                share <= CPU_LIMIT,
            ),
            Bar(
                "the same with supervision, records in memory",
                f"at most {SUPERVISED_LIMIT} of panoramisk with one callback",
                f"{supervised:.2f}",
                supervised <= SUPERVISED_LIMIT,
            ),
            Bar(
                f"p99 of the lag at {CALLS_A_SECOND:,} calls a second",
                f"under {LAG_LIMIT_SECONDS:.0f} s, nothing dropped",
                f"{lag * 1000:,.0f} ms",
                lag < LAG_LIMIT_SECONDS,
            ),
        ),
    )


def _interleave(stream: Stream, rounds: int, readers: Sequence[str]) -> dict[str, list[Reading]]:
    """Each reader in turn, `rounds` times."""
    found: dict[str, list[Reading]] = {reader: [] for reader in readers}
    with tempfile.TemporaryDirectory() as name, _replay(stream, Path(name)) as port:
        for _ in range(rounds):
            for reader, readings in found.items():
                progress(f"{READERS[reader]}, {stream.name}")
                readings.append(_read(reader, port, stream.calls, Path(name)))
    return found


@contextlib.contextmanager
def _replay(stream: Stream, folder: Path) -> Generator[int]:
    """The replaying manager interface; gives its port."""
    port, log = free_port(), folder / "replay.log"
    options = (str(port), str(stream.calls), "yes" if stream.chosen else "no", str(stream.rate))
    command = (sys.executable, str(PEERS / "ami_replay.py"), *options)
    with running(command, extra={"PYTHONPATH": str(ROOT)}, log=log, cwd=folder) as process:
        wait_for_port(process, port, log)
        yield port


def _read(reader: str, port: int, calls: int, folder: Path) -> Reading:
    try:
        done = subprocess.run(
            (sys.executable, str(PEERS / "ami_reader.py"), reader, str(port), str(calls)),
            check=True,
            capture_output=True,
            text=True,
            timeout=READ_SECONDS,
            env=environment({"PYTHONPATH": str(ROOT)}),
            cwd=folder,
        )
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"{reader}: {error.stderr[-2000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"{reader}: no end of the stream in {READ_SECONDS:.0f} s") from error
    return Reading(**json.loads(done.stdout.splitlines()[-1]))


def _share(found: dict[str, list[Reading]], kind: str) -> float:
    """A reader's processor time of panoramisk's: the median of the pairs of one round each."""
    pairs = zip(found[kind], found[PANORAMISK], strict=True)
    return statistics.median(own.cpu_seconds / theirs.cpu_seconds for own, theirs in pairs)


def _rows(stream: Stream, found: dict[str, list[Reading]]) -> list[tuple[str, ...]]:
    """A line for each reader, of its median reading."""
    rows: list[tuple[str, ...]] = []
    for kind, taken in found.items():
        readings = sorted(taken, key=lambda each: each.cpu_seconds)
        middle = readings[len(readings) // 2]
        late = ("", "")
        if stream.rate:
            late = (f"{middle.late_p99 * 1000:,.0f} ms", f"{middle.late_most * 1000:,.0f} ms")
        rows.append(
            (
                f"{stream.name}: {READERS[kind]}",
                f"{middle.cpu_seconds / stream.calls * 1e6:,.0f}",
                f"{_share(found, kind):.2f}",
                f"{stream.events / middle.wall_seconds:,.0f}",
                *late,
            )
        )
    return rows
