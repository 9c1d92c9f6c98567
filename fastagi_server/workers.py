"""Several processes on one address: the parent starts them, restarts them, and stops them.

The kernel shares out connections among sockets bound with SO_REUSEPORT. The parent serves nothing
itself, so that nothing a caller sends can hurt it.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

import structlog

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGALRM)

_PR_SET_PDEATHSIG = 1
"""Of <sys/prctl.h>."""

RESTART_PAUSE_SECONDS = 0.5
"""Between a worker's death and its successor, so that a broken start cannot spin."""

KILL_SECONDS = 10.0
"""After the workers' own deadline for draining, before SIGKILL."""


class Workers:
    """Runs `serve(number)` in `count` child processes until SIGTERM or SIGINT.

    `stop_seconds` is how long the children may take to stop.
    """

    def __init__(self, count: int, serve: Callable[[int], None], *, stop_seconds: float) -> None:
        self._count = count
        self._serve = serve
        self._stop_seconds = stop_seconds + KILL_SECONDS
        self._children: dict[int, int] = {}
        self._stopping = False

    def run(self) -> None:
        """Return when every child has ended."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, self._forward)
        signal.signal(signal.SIGALRM, self._kill)
        for number in range(self._count):
            self._start(number)
        while self._children:
            try:
                pid, status = os.wait()
            except ChildProcessError:
                return
            self._reap(pid, status)

    def _reap(self, pid: int, status: int) -> None:
        number = self._children.pop(pid)
        if self._stopping:
            return
        _log().error("worker_died", worker=number, status=os.waitstatus_to_exitcode(status))
        time.sleep(RESTART_PAUSE_SECONDS)
        self._start(number)

    def _start(self, number: int) -> None:
        """Start a child, unless a signal to stop came before: none may come halfway."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            if self._stopping:
                return
            parent = os.getpid()
            pid = os.fork()
            if pid:
                self._children[pid] = number
                return
            for name in _SIGNALS:
                signal.signal(name, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's reaches all; see _forward
            _end_with(parent)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._serve_and_exit(number)

    def _serve_and_exit(self, number: int) -> None:
        try:
            self._serve(number)
        except BaseException:  # noqa: BLE001 - the child must never return into the parent's code
            _log().exception("worker_failed", worker=number)
            os._exit(1)
        os._exit(0)

    def _forward(self, _number: int, _frame: FrameType | None) -> None:
        """Have the children stop, each told once by a first signal and once by a second."""
        if not self._stopping:
            signal.setitimer(signal.ITIMER_REAL, self._stop_seconds)
        self._stopping = True
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)


def _end_with(parent: int) -> None:
    """Be killed when the parent is: nobody else would ever stop this process (Linux).

    Otherwise the workers of the old parent would share the address with those of the new one, and
    with SIGTERM they would decline their share of the calls for as long as they drain. What dies
    with a session is safe: the dialplan asks once more.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - a single worker needs none of it

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # killed before it was asked for
        os.kill(os.getpid(), signal.SIGKILL)


def _log() -> structlog.stdlib.BoundLogger:
    """Ask anew each time: a logger kept from before a fork writes through the parent's thread."""
    return structlog.stdlib.get_logger("workers")
