"""What the kernel knows of this process."""

import os
import platform
import time
from pathlib import Path

import pytest

from fastagi_server.telemetry.measures import Measures
from fastagi_server.telemetry.process import ProcessFigures, started_at


async def test_figures_are_this_process_s() -> None:
    """Memory, time and files are those that the kernel gives elsewhere, too."""
    measures = Measures()
    figures = ProcessFigures(measures, "1.2.3")
    await figures.collect()
    assert measures.build.values == {("1.2.3", platform.python_version()): 1}
    memory = measures.process_memory.values[()]
    assert 5e6 < memory < 5e9
    assert memory % os.sysconf("SC_PAGE_SIZE") == 0
    assert 0 < measures.process_cpu.values[()] <= time.process_time() + 1
    assert measures.process_files.values[()] >= 3
    assert measures.process_files_limit.values[()] >= measures.process_files.values[()]


async def test_they_come_when_they_are_asked_for() -> None:
    """Whoever refreshes the measures has them."""
    measures = Measures()
    ProcessFigures(measures, "1.2.3")
    await measures.collectors.refresh()
    await measures.collectors.close()
    assert measures.collector_up.values == {("process",): 1}


def test_start() -> None:
    """The process started when the kernel says, by its boot time and the ticks since then."""
    (booted,) = [
        float(line.split()[1])
        for line in Path("/proc/stat").read_text().splitlines()
        if line.startswith("btime ")
    ]
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    expected = booted + ticks / os.sysconf("SC_CLK_TCK")
    assert started_at() == pytest.approx(expected, abs=2)


async def test_the_start_does_not_move() -> None:
    """Two looks give the same start to the last digit: it is no new process."""
    measures = Measures()
    figures = ProcessFigures(measures, "1.2.3")
    await figures.collect()
    first = dict(measures.process_start.values)
    await figures.collect()
    assert measures.process_start.values == first


async def test_hardened_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc has processes only (ProcSubset=pid of the unit) all figures are known."""
    read = Path.read_text

    def read_own(path: Path) -> str:
        if not str(path).startswith("/proc/self/"):
            raise FileNotFoundError(path)
        return read(path)

    monkeypatch.setattr(Path, "read_text", read_own)
    measures = Measures()
    await ProcessFigures(measures, "1.2.3").collect()
    assert measures.process_start.values[()] > 0
