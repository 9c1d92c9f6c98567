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
    """The process started before now and after the machine."""
    assert 0 < started_at() <= time.time() + 1


def test_kernel_without_a_boot_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where /proc does not say when the machine was booted there is no start."""

    def no_text(_path: object) -> str:
        return "1 (name) " + "0 " * 40

    monkeypatch.setattr(Path, "read_text", no_text)
    with pytest.raises(OSError, match="booted"):
        started_at()
