"""What the kernel knows of this process: memory, processor time, files (Linux, from /proc).

The names of the measures are those that all programs use for them.
"""

import os
import platform
import resource
import time
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
        self._started_at: float | None = None
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
        if self._started_at is None:  # reckoned anew it would seem to move with every clock
            self._started_at = started_at()
        measures.process_start.set(self._started_at)
        measures.process_files.set(len(os.listdir(_PROC / "fd")))  # noqa: PTH208 - a count
        measures.process_files_limit.set(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def started_at() -> float:
    """When this process started, in seconds since 1970.

    Only files of the process itself are read: under ProtectProc and ProcSubset there are no others.
    """
    fields = (_PROC / "stat").read_text().rpartition(")")[2].split()
    since_boot = int(fields[_STARTED_FIELD]) / _TICKS
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)
