"""Processes of the lab: recognised beyond doubt, ended by id, never by name."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import StartError

POLL_SECONDS = 0.02


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one that was given the same number."""

    number: int
    started: int

    @classmethod
    def of(cls, number: int) -> "ProcessId | None":
        """Return the identity of the process `number`, or None when there is none."""
        try:
            status = Path(f"/proc/{number}/stat").read_text()
        except OSError:
            return None
        # The name in parentheses may itself hold spaces and parentheses; the third field, after
        # it, is the state and the twenty-second the start time in clock ticks since boot.
        fields = status.rpartition(")")[2].split()
        return None if fields[0] in "ZX" else cls(number, int(fields[19]))

    @property
    def is_alive(self) -> bool:
        """Say whether this very process still runs; a zombie does not."""
        return ProcessId.of(self.number) == self

    def end(self, deadline_seconds: float) -> None:
        """Ask the process to end, and kill its whole group when it has not by the deadline.

        The process must have been started as the leader of its own session.
        """
        self._signal(signal.SIGTERM)
        if not wait_until(lambda: not self.is_alive, deadline_seconds):
            self._signal_group(signal.SIGKILL)
            wait_until(lambda: not self.is_alive, deadline_seconds)

    def _signal(self, which: signal.Signals) -> None:
        if self.is_alive:
            os.kill(self.number, which)

    def _signal_group(self, which: signal.Signals) -> None:
        if self.is_alive:
            os.killpg(self.number, which)


def start(
    command: list[str],
    output: Path,
    keep_open: tuple[int, ...] = (),
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own with its output in a file.

    It has the environment and the working folder of this process unless others are given.
    """
    with output.open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=keep_open,
            env=environment,
            cwd=folder,
        )


def identify(process: subprocess.Popen[bytes]) -> ProcessId:
    """Return the identity of a process just started; raises StartError when it has ended."""
    identity = ProcessId.of(process.pid)
    if identity is None:
        raise StartError(f"the program ended at once with exit code {process.wait()}")
    return identity


def end(process: subprocess.Popen[bytes], deadline_seconds: float) -> int:
    """End a program that we started, which may be ending by itself, and return its exit code."""
    identity = ProcessId.of(process.pid)
    if identity is not None:
        identity.end(deadline_seconds)
    return process.wait(deadline_seconds)


def wait_until(condition: Callable[[], bool], deadline_seconds: float) -> bool:
    """Return whether `condition` came true before the deadline, looking every 20 ms."""
    end = time.monotonic() + deadline_seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        time.sleep(POLL_SECONDS)
    return True
