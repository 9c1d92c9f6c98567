"""The service manager as one process knows it: what it is told, and the sockets it gave.

The protocols are systemd's, sd_notify(3) and sd_listen_fds(3), on plain sockets. A parent of
several workers speaks the manager's side of the first to each of them.
"""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from fastagi_server.settings.manager import ManagerOffer
from fastagi_server.telemetry.measures import Counter

FIRST_DESCRIPTOR = 3
"""Of the sockets that are given; the number is the protocol's."""

STATUS_SECONDS = 5.0
"""How old a status may be, where no watchdog asks for more."""

MAX_UNSENT = 32
"""Words kept for a manager that does not read."""

READY = "READY=1"
WATCHDOG = "WATCHDOG=1"


class Notifier:
    """Tells the manager how the process stands; without a socket it tells nobody.

    It never waits: what the manager does not take now goes with the next word. Beyond 32 words the
    oldest is dropped, and counted in `drops` under "manager_word".
    """

    def __init__(
        self, channel: socket.socket | None = None, *, drops: Counter | None = None
    ) -> None:
        self._channel = channel
        self._drops = drops or Counter()
        self._unsent: list[str] = []

    def tell(self, *words: str) -> None:
        """Say assignments such as `READY=1`, together."""
        if self._channel is None:
            return
        self._unsent += words
        try:
            self._channel.send("\n".join(self._unsent).encode(), socket.MSG_DONTWAIT)
        except OSError:  # full, or nobody there, who may come back
            lost = len(self._unsent) - MAX_UNSENT
            if lost > 0:
                del self._unsent[:lost]
                self._drops.add("manager_word", amount=float(lost))
            return
        self._unsent.clear()

    def tell_reloading(self) -> None:
        """Say that settings are being read again; `READY=1` ends it."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    def tell_stopping(self, seconds: float) -> None:
        """Say that the process stops, and that it may take so long."""
        self.tell("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def close(self) -> None:
        """Tell nothing more."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def connect_notifier(address: str, *, drops: Counter | None = None) -> Notifier:
    """A notifier to a Unix socket: a path, or `@` and a name without one; "" is nobody.

    A manager that cannot be reached is nobody too: it must not keep calls from being answered.
    """
    if not address.startswith(("/", "@")):
        return Notifier()
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
    except OSError:
        channel.close()
        return Notifier()
    return Notifier(channel, drops=drops)


@dataclass(frozen=True, slots=True)
class GivenSockets:
    """Listening sockets that the manager keeps, whatever becomes of this process.

    Who connects while nobody accepts waits in them. `agi` are for FastAGI, `http` is for the
    embedded API; empty and None where none was given.
    """

    agi: tuple[socket.socket, ...] = ()
    http: socket.socket | None = None

    @property
    def names(self) -> frozenset[str]:
        """Which of `agi` and `http` were given."""
        given = {"agi": bool(self.agi), "http": self.http is not None}
        return frozenset(name for name, is_given in given.items() if is_given)


NO_SOCKETS = GivenSockets()


def adopt_sockets(names: Sequence[str], *, first: int = FIRST_DESCRIPTOR) -> GivenSockets:
    """The sockets open from descriptor `first` on, by their names (`FileDescriptorName=`).

    Raises `ValueError` in words for a name that is neither `agi` nor `http`, for a second `http`,
    and for what is no listening TCP socket.
    """
    adopted: dict[str, list[socket.socket]] = {"agi": [], "http": []}
    for descriptor, name in enumerate(names, first):
        if name not in adopted:
            raise ValueError(f"FileDescriptorName={name}: a socket's name must be agi or http")
        adopted[name].append(_adopt(descriptor, name))
    if len(adopted["http"]) > 1:
        raise ValueError("FileDescriptorName=http: one socket is served, not several")
    return GivenSockets(tuple(adopted["agi"]), next(iter(adopted["http"]), None))


def _adopt(descriptor: int, name: str) -> socket.socket:
    try:
        listener = socket.socket(fileno=descriptor)
        listens = listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise ValueError(f"the socket {name} cannot be used: {error.strerror}") from None
    if not listens or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        listener.detach()
        raise ValueError(f"the socket {name} does not listen for TCP connections")
    listener.set_inheritable(False)
    listener.setblocking(False)
    return listener


@dataclass(frozen=True, slots=True)
class Manager:
    """The service manager, or nobody.

    It kills a process that told it nothing for `watchdog_seconds`; 0 is never.
    """

    notifier: Notifier = field(default_factory=Notifier)
    watchdog_seconds: float = 0.0
    sockets: GivenSockets = NO_SOCKETS

    @property
    def beat_seconds(self) -> float:
        """How often it wants to hear: twice in the time of its watchdog."""
        half = self.watchdog_seconds / 2
        return min(half, STATUS_SECONDS) if half else STATUS_SECONDS

    @asynccontextmanager
    async def watching(self, status: Callable[[], str]) -> AsyncGenerator[None]:
        """Feed the watchdog from this event loop while in the context, and tell `status()`."""
        beating = asyncio.create_task(self._beat(status), name="watchdog")
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.gather(beating, return_exceptions=True)

    async def _beat(self, status: Callable[[], str]) -> None:
        while True:
            self.notifier.tell(WATCHDOG, f"STATUS={status()}")
            await asyncio.sleep(self.beat_seconds)


def open_manager(offer: ManagerOffer, *, drops: Counter | None = None) -> Manager:
    """The manager of the process that got this offer. Raises `ValueError`; see `adopt_sockets`."""
    sockets = adopt_sockets(offer.socket_names)
    return Manager(
        connect_notifier(offer.notify_address, drops=drops), offer.watchdog_seconds, sockets
    )
