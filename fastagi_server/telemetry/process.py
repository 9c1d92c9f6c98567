"""What the kernel knows of this process: memory, processor time, files (Linux, from /proc).

The names of the measures are those that all programs use for them.
"""

import os
import platform
import resource
from pathlib import Path

from fastagi_server.telemetry.measures import Measures

_PROC = Path("/proc/self")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_STARTED_FIELD = 19
"""Of /proc/self/stat, counted from the field behind the program's name; ticks since the boot."""


class ProcessFigures:
    """Brings the measures of this process; `version` is the program's own."""

    def __init__(self, measures: Measures, version: str) -> None:
        self._measures = measures
        measures.build.set(1, version, platform.python_version())
        measures.collectors.add(
            "process",
            (
                measures.process_memory,
                measures.process_start,
                measures.process_files,
                measures.process_files_limit,
            ),
            self.collect,
        )

    async def collect(self) -> None:
        """Read them; some tenths of a millisecond. Raises OSError where there is no /proc."""
        measures = self._measures
        pages = int((_PROC / "statm").read_text().split()[1])
        measures.process_memory.set(pages * _PAGE_BYTES)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        measures.process_cpu.become(usage.ru_utime + usage.ru_stime)
        measures.process_start.set(started_at())
        measures.process_files.set(len(os.listdir(_PROC / "fd")))  # noqa: PTH208 - a count
        measures.process_files_limit.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def started_at() -> float:
    """When this process started, in seconds since 1970."""
    fields = (_PROC / "stat").read_text().rpartition(")")[2].split()
    return _booted_at() + int(fields[_STARTED_FIELD]) / _TICKS


def _booted_at() -> float:
    for line in Path("/proc/stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "btime":
            return float(value)
    raise OSError("/proc/stat does not say when the machine was booted")
