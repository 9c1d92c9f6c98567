"""The bench: built tools, an API stub, servers under test, and load on them."""

import contextlib
import itertools
import subprocess
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.isolation import ROOT
from benchmarks.load import Load, generate
from benchmarks.processes import BenchmarkError, environment, free_port, running, wait_for_port
from benchmarks.servers import Place, Server

_SOURCES = ("agiload", "sgestub", "floor")


@dataclass(frozen=True, slots=True)
class Served:
    """A server that listens."""

    server: Server
    port: int
    pid: int


class Rig:
    """Builds the C programs once and starts whatever a scenario asks for.

    `work` is a folder that the caller removes: built programs, logs, the servers' state.
    `quick` asks for fewer rounds and calls, for a look rather than for a report.
    """

    def __init__(self, work: Path, *, quick: bool) -> None:
        self.quick = quick
        self._work = work
        self._serial = itertools.count(1)
        for source in _SOURCES:
            _build(ROOT / "benchmarks" / "peers" / f"{source}.c", work / source)

    def scaled(self, amount: int) -> int:
        """`amount`, or a quarter of it on a quick run."""
        return max(amount // 4, 1) if self.quick else amount

    @property
    def rounds(self) -> int:
        """How often each server takes its turn."""
        return 2 if self.quick else 5

    @contextlib.contextmanager
    def api(self, *, mode: str = "ok", delay_ms: int = 0) -> Generator[int]:
        """The API stub; gives its port. `mode` is one of the stub's: ok, hang and others."""
        port = free_port()
        command = (str(self._work / "sgestub"), "-p", str(port), "-m", mode, "-d", str(delay_ms))
        with self._run(command, {}, port):
            yield port

    @contextlib.contextmanager
    def api_worker(self, key: str, calls: int) -> Generator[int]:
        """The embedded API with so many live calls, beside an empty application; gives its port."""
        port = free_port()
        script = ROOT / "benchmarks" / "peers" / "api_worker.py"
        database = self._work / f"api-{next(self._serial)}.sqlite3"
        command = (sys.executable, str(script), str(port), str(database), key, str(calls))
        with self._run(command, {}, port):
            yield port

    @contextlib.contextmanager
    def serve(self, server: Server, api_port: int) -> Generator[Served]:
        """`server`, listening, in front of the API at `api_port`."""
        state = self._work / f"state-{next(self._serial)}"
        state.mkdir()
        place = Place(free_port(), api_port, state, self._work)
        with self._run(server.start(place), server.environment(place), place.port) as process:
            yield Served(server, place.port, process.pid)

    @contextlib.contextmanager
    def serve_all(self, servers: Sequence[Server], api_port: int) -> Generator[list[Served]]:
        """Each of `servers`, listening, in front of one API."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(self.serve(server, api_port)) for server in servers]

    def load(
        self,
        served: Served,
        *,
        calls: int,
        concurrent: int,
        warm_up: int | None = None,
        extra: Sequence[str] = (),
    ) -> Load:
        """Make `calls` calls, at most `concurrent` at once; `extra` are the generator's options.

        `warm_up` calls come before and do not count; as many as run at once unless told, because
        until then the processor time of calls in flight would count for calls that do not.
        """
        before = concurrent if warm_up is None else warm_up
        options = {"-p": served.port, "-P": served.pid, "-n": calls, "-c": concurrent, "-w": before}
        return generate(
            self._work / "agiload",
            [*itertools.chain.from_iterable((k, str(v)) for k, v in options.items()), *extra],
        )

    @contextlib.contextmanager
    def _run(
        self, command: Sequence[str], extra: dict[str, str], port: int
    ) -> Generator[subprocess.Popen[bytes]]:
        log = self._work / f"{next(self._serial)}.log"
        # not in the project's folder, where a `.env` of the developer would be read
        extra = {"PYTHONPATH": str(ROOT), **extra}
        with running(command, extra=extra, log=log, cwd=self._work) as process:
            wait_for_port(process, port, log)
            yield process


def _build(source: Path, target: Path) -> None:
    command = ("gcc", "-O2", "-Wall", "-Wextra", "-o", str(target), str(source))
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60, env=environment({}))
    except FileNotFoundError as error:
        raise BenchmarkError("the load generator is built with gcc: install gcc") from error
    except subprocess.CalledProcessError as error:
        raise BenchmarkError(f"{source.name}: {error.stderr.decode()}") from error


def progress(text: str) -> None:
    """Tell the person who waits what is going on."""
    print(f"   {text}", file=sys.stderr, flush=True)
