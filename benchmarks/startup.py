"""The classic script, one process a call: ours against the documented one."""

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.isolation import ROOT
from benchmarks.processes import BenchmarkError, environment
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from benchmarks.servers import CHANNEL_LINES, OURS, TOKEN

SHARE_LIMIT = 0.2
CALL_SECONDS = 10.0

_REQUEST = "agi_request: sge-voip-integration.py\n" + CHANNEL_LINES

_DOCUMENTED = "documented script"
_OURS = "agi-bin script"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a script, milliseconds."""

    cpu: float
    elapsed: float


def classic_script(rig: Rig) -> Section:
    """CPU and time of one call by each script, from its start to its end."""
    scripts = {
        _DOCUMENTED: command_of(ROOT / "benchmarks" / "peers" / "documented_script.py"),
        _OURS: command_of(ROOT / "agi-bin" / "sge-voip-integration.py"),
    }
    runs: dict[str, list[Run]] = {name: [] for name in scripts}
    with rig.api() as api_port, rig.serve(OURS, api_port) as served:
        settings = environment(
            {
                "SGE_API_URL": f"http://127.0.0.1:{api_port}/api/v1/voip",
                "SGE_JWT_TOKEN": TOKEN,
                "SGE_AGI_ADDRESS": f"127.0.0.1:{served.port}",
            }
        )
        for turn in range(rig.scaled(20) + 1):
            progress(f"round {turn}")
            for name, command in scripts.items():
                run = call(command, settings, serial=turn)
                if turn:  # the first may compile byte code
                    runs[name].append(run)
    cpu = {name: statistics.median(run.cpu for run in made) for name, made in runs.items()}
    share = cpu[_OURS] / cpu[_DOCUMENTED]
    return Section(
        "The classic script, one process a call",
        ("script", "CPU ms", "elapsed ms"),
        tuple(
            (
                name,
                f"{cpu[name]:.1f}",
                f"{statistics.median(run.elapsed for run in made):.1f}",
            )
            for name, made in runs.items()
        ),
        "A whole call over standard input and output, nearly all of it the start of Python and "
        "its imports. The documented script posts to the API itself; ours asks the server.",
        (
            Bar(
                "CPU of the classic script",
                f"at most {SHARE_LIMIT} of the documented script",
                f"{share:.2f}",
                share <= SHARE_LIMIT,
            ),
        ),
    )


def command_of(script: Path) -> list[str]:
    """How to run `script` on this Python with the options of its first line.

    One interpreter for all of them: the system's may be built otherwise than this one.
    """
    with script.open() as lines:
        first = next(lines)
    options = first.split()[1:] if first.startswith("#!") else []
    return [sys.executable, *options, str(script)]


def call(command: Sequence[str], settings: Mapping[str, str], *, serial: int) -> Run:
    """Run one script as Asterisk does: write the request, answer each command, read to the end.

    Raises BenchmarkError when it fails, sets no SGE_CALL_ID or takes over CALL_SECONDS.
    """
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=settings, cwd=ROOT
    )
    late = threading.Timer(CALL_SECONDS, process.kill)
    late.start()
    try:
        commands = _talk(process, _REQUEST.format(serial=serial))
    finally:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        late.cancel()
    if process.returncode or "SGE_CALL_ID" not in commands:
        raise BenchmarkError(f"{command[-1]} ended with {process.returncode} after: {commands!r}")
    return Run(
        cpu=(usage.ru_utime + usage.ru_stime) * 1000,
        elapsed=(time.perf_counter() - begun) * 1000,
    )


def _talk(process: subprocess.Popen[bytes], request: str) -> str:
    """Answer every command until the script closes its output; the commands."""
    if process.stdin is None or process.stdout is None:
        raise BenchmarkError("the script has no pipes")
    commands = ""
    with process.stdout, process.stdin:
        process.stdin.write(request.encode())
        process.stdin.flush()
        for command in process.stdout:
            commands += command.decode()
            process.stdin.write(b"200 result=1\n")
            process.stdin.flush()
    return commands
