"""Loopback ports for instances that run side by side.

A slot is a block of a thousand ports. Whoever runs an instance holds a lock on its slot's file;
the lock is handed on to Asterisk itself, so that it lasts exactly as long as the ports are used.
All slots lie below Linux's ephemeral range, which begins at 32768.
"""

import fcntl
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from lab.errors import StartError

SLOTS = 12
FIRST_PORT = 20_000
PORTS_PER_SLOT = 1_000
PHONES_PER_INSTANCE = 20


@dataclass(frozen=True)
class Ports:
    """The ports of one instance, all of them on 127.0.0.1."""

    first: int

    @property
    def sip(self) -> int:
        """Port of Asterisk's SIP transports, UDP and TCP."""
        return self.first

    @property
    def ami(self) -> int:
        """TCP port of the manager interface."""
        return self.first + 1

    @property
    def http(self) -> int:
        """TCP port of the HTTP server, and so of ARI."""
        return self.first + 2

    @property
    def gateway(self) -> int:
        """TCP port on which a service's gateway takes calls to browsers."""
        return self.first + 3

    @property
    def rtp(self) -> tuple[int, int]:
        """First and last UDP port of Asterisk's own media."""
        return self.first + 500, self.first + 999

    def phone(self, number: int) -> "PhonePorts":
        """Return the ports of the phone that was started as `number`-th, counted from 0."""
        return PhonePorts(self.first + 10 + 20 * (number % PHONES_PER_INSTANCE))


@dataclass(frozen=True)
class PhonePorts:
    """The ports of one SIPp process: it takes several from `media` on."""

    sip: int

    @property
    def control(self) -> int:
        """UDP port of SIPp's remote control, which cannot be switched off."""
        return self.sip + 1

    @property
    def media(self) -> int:
        """First UDP port for RTP."""
        return self.sip + 2

    @property
    def last(self) -> int:
        """Last UDP port for RTP."""
        return self.sip + 15

    @property
    def beside(self) -> "PhonePorts":
        """The ports of a second SIPp of the same phone, which sends no media."""
        return PhonePorts(self.sip + 16)


@dataclass
class Slot:
    """A block of ports and the lock that keeps it ours."""

    ports: Ports
    lock: int

    def close(self) -> None:
        """Give up our share of the lock; Asterisk's share lasts until it ends."""
        os.close(self.lock)


def take_slot(folder: Path) -> Slot:
    """Lock a free slot; raises StartError when all are taken."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SLOTS):
        lock = os.open(folder / f"slot-{number}.lock", os.O_RDWR | os.O_CREAT, 0o644)
        ports = Ports(FIRST_PORT + number * PORTS_PER_SLOT)
        if _lock(lock) and _are_free(ports):
            return Slot(ports, lock)
        os.close(lock)
    raise StartError(f"all {SLOTS} places for an Asterisk are taken: python3 -m lab stop")


def _lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _are_free(ports: Ports) -> bool:
    """Say whether nothing outside the lab sits on the ports that Asterisk must have."""
    wanted = (
        (socket.SOCK_DGRAM, ports.sip),
        (socket.SOCK_STREAM, ports.sip),
        (socket.SOCK_STREAM, ports.ami),
        (socket.SOCK_STREAM, ports.http),
        (socket.SOCK_STREAM, ports.gateway),
    )
    return all(is_free(kind, port) for kind, port in wanted)


def is_free(kind: socket.SocketKind, port: int, address: str = "127.0.0.1") -> bool:
    """Say whether a port of this machine can be bound; `kind` is stream (TCP) or datagram (UDP)."""
    with socket.socket(socket.AF_INET, kind) as probe:
        # As Asterisk does: connections of the last instance that still linger are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
