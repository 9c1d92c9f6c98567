"""Several processes on one address: the parent starts them, restarts them, and stops them.

The kernel shares out connections among sockets bound with SO_REUSEPORT, or among processes that
accept from one socket given by a service manager. The parent serves nothing itself, so that
nothing a caller sends can hurt it. To each worker it is the service manager: it hears that the
worker is ready and alive, and kills one that has fallen silent.
"""

import math
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

import structlog

from fastagi_server.activation import READY, WATCHDOG, Manager, Notifier

_log = structlog.stdlib.get_logger("workers")

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

_PR_SET_PDEATHSIG = 1
"""Of <sys/prctl.h>."""

RESTART_PAUSE_SECONDS = 0.5
"""Between a worker's death and its successor, so that a broken start cannot spin."""

KILL_SECONDS = 5.0
"""After the workers' own deadline for stopping, before SIGKILL."""

MAX_WORD_BYTES = 4096
"""Of what a worker tells at once."""


@dataclass(slots=True)
class _Child:
    """A worker that runs. `heard_at` is None until it has told something."""

    number: int
    pid: int
    channel: socket.socket
    is_ready: bool = False
    heard_at: float | None = None
    status: str = ""


class Workers:
    """Runs `serve(number, manager)` in `count` child processes until SIGTERM or SIGINT.

    `stop_seconds` says how long the children may take to stop. SIGHUP calls `reload`, so that
    successors are started with what it changes, and is handed on. `manager` is the parent's own.
    """

    def __init__(
        self,
        count: int,
        serve: Callable[[int, Manager], None],
        *,
        stop_seconds: Callable[[], float],
        reload: Callable[[], None],
        manager: Manager,
    ) -> None:
        self._count = count
        self._serve = serve
        self._stop_seconds = stop_seconds
        self._reload = reload
        self._manager = manager
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, _Child] = {}
        self._due: dict[int, float] = dict.fromkeys(range(count), 0.0)
        self._kill_at: float | None = None
        self._beat_at = 0.0
        self._is_expected_ready = True
        self._asked: set[int] = set()

    def run(self) -> None:
        """Return when every child has ended."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        self._selector.register(wake, selectors.EVENT_READ)
        for number in _SIGNALS:
            signal.signal(number, self._note)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        try:
            while self._children or self._due:
                self._turn(wake)
        finally:
            signal.set_wakeup_fd(-1)
            wake.close()
            woken.close()
            self._selector.close()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        """Keep what was asked for the next turn: a handler may come between any two lines."""
        self._asked.add(number)

    def _turn(self, wake: socket.socket) -> None:
        self._start_due()
        for key, _ in self._selector.select(self._seconds_to_wait()):
            if key.fileobj is wake:
                with suppress(BlockingIOError):
                    wake.recv(MAX_WORD_BYTES)
            else:
                self._hear(key.data)
        asked, self._asked = self._asked, set()
        if asked & {signal.SIGTERM, signal.SIGINT}:
            self._stop()
        if signal.SIGHUP in asked and self._kill_at is None:
            self._hand_on_reload()
        self._reap()
        self._look_after()

    def _seconds_to_wait(self) -> float:
        moments = [self._beat_at, *self._due.values()]
        if self._kill_at is not None:
            moments.append(self._kill_at)
        return max(0.0, min(moments) - time.monotonic())

    # -- starting --

    def _start_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, moment in self._due.items() if moment <= now]:
            del self._due[number]
            self._start(number)

    def _start(self, number: int) -> None:
        """Start a child; signals that come halfway wait for one or the other."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        parent = os.getpid()
        pid = os.fork()
        if pid:
            theirs.close()
            child = self._children[pid] = _Child(number, pid, ours)
            self._selector.register(ours, selectors.EVENT_READ, child)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            return
        ours.close()
        self._become_child(parent)
        self._serve_and_exit(number, theirs)

    def _become_child(self, parent: int) -> None:
        """Forget the parent's part. SIGHUP stays blocked until the child can reload."""
        signal.set_wakeup_fd(-1)
        self._selector.close()
        for child in self._children.values():
            child.channel.close()
        for name in _SIGNALS:
            signal.signal(name, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's reaches all; see _stop
        _end_with(parent)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, set(_SIGNALS) - {signal.SIGHUP})

    def _serve_and_exit(self, number: int, channel: socket.socket) -> None:
        manager = Manager(Notifier(channel), self._manager.watchdog_seconds, self._manager.sockets)
        try:
            self._serve(number, manager)
        except BaseException:  # noqa: BLE001 - the child must never return into the parent's code
            _log.exception("worker_failed", worker=number)
            os._exit(1)
        os._exit(0)

    # -- looking after them --

    def _hear(self, child: _Child) -> None:
        try:
            words = child.channel.recv(MAX_WORD_BYTES, socket.MSG_DONTWAIT).decode().split("\n")
        except OSError:
            return
        child.heard_at = time.monotonic()
        for word in words:
            if word == READY:
                child.is_ready = True
            elif word.startswith("STATUS="):
                child.status = word.removeprefix("STATUS=")
        if self._is_expected_ready and self._ready == self._count and self._kill_at is None:
            self._is_expected_ready = False
            self._manager.notifier.tell(READY, self._status)

    @property
    def _ready(self) -> int:
        return sum(child.is_ready for child in self._children.values())

    @property
    def _status(self) -> str:
        first = min(self._children.values(), key=lambda child: child.number, default=None)
        about = f"; worker {first.number}: {first.status}" if first and first.status else ""
        return f"STATUS={self._ready} of {self._count} workers ready{about}"

    def _reap(self) -> None:
        """Take note of the dead, and have successors started in a while."""
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            child = self._children.pop(pid, None)
            if child is None:  # an orphan that was given to us, as to the first of a container
                continue
            self._selector.unregister(child.channel)
            child.channel.close()
            if self._kill_at is None:
                code = os.waitstatus_to_exitcode(status)
                _log.error("worker_died", worker=child.number, status=code)
                self._due[child.number] = time.monotonic() + RESTART_PAUSE_SECONDS

    def _look_after(self) -> None:
        """Kill who is overdue, and tell our own manager that we do."""
        now = time.monotonic()
        patience = self._manager.watchdog_seconds
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = math.inf
            for child in self._children.values():
                os.kill(child.pid, signal.SIGKILL)
        for child in self._children.values():
            if patience and child.heard_at is not None and now - child.heard_at > patience:
                _log.error("worker_hung", worker=child.number, seconds=patience)
                child.heard_at = None
                os.kill(child.pid, signal.SIGKILL)
        if now >= self._beat_at:
            self._beat_at = now + self._manager.beat_seconds
            self._manager.notifier.tell(WATCHDOG, self._status)

    # -- what is asked of all --

    def _hand_on_reload(self) -> None:
        self._manager.notifier.tell_reloading()
        self._reload()
        self._is_expected_ready = True
        for child in self._children.values():
            child.is_ready = False
            os.kill(child.pid, signal.SIGHUP)

    def _stop(self) -> None:
        """Have the children stop, each told once by a first signal and once by a second."""
        if self._kill_at is None:
            seconds = self._stop_seconds() + KILL_SECONDS
            self._kill_at = time.monotonic() + seconds
            self._due.clear()
            self._manager.notifier.tell_stopping(seconds)
        for pid in self._children:
            os.kill(pid, signal.SIGTERM)


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
