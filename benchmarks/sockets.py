"""Ten thousand event sockets: what each costs the service, and how long it takes to tell all."""

import contextlib
import socket
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt

from benchmarks.isolation import ROOT
from benchmarks.processes import (
    BenchmarkError,
    free_port,
    resident_kib,
    running,
    wait_for_port,
)
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig, progress
from lab.errors import LabError
from lab.loopback import ask

SOCKETS = 10_000
AT_ONCE = 100
"""Sockets that shake hands at a time."""

CHANGES = 5
PATIENCE_SECONDS = 60.0
LIMIT_KIB = 64.0

_KEY = "the-benchmark-asks"
_SECRET = "the secret of the tokens of the benchmark"  # noqa: S105 - nobody else takes it
WATCHED = "presence:service"
"""The user that all listen for: the one whose key the benchmark has."""

_FOR_EVER = 4_102_444_800
_SETTINGS = {
    "PYTHONPATH": str(ROOT),
    "FASTAGI_CONFIG": "config.toml",
    "FASTAGI_STATE_DIR": "state",
    "FASTAGI_LISTEN": "127.0.0.1:0",
    "SGE_API_KEY": _KEY,
    "SGE_JWT_SECRET": _SECRET,
    "WS_MAX_CONNECTIONS": str(SOCKETS + AT_ONCE),
    # The clients only answer while they are read from.
    "WS_HEARTBEAT_INTERVAL": "3600",
    "SGE_FAILURES_PER_MINUTE": "0",
}
_HANDSHAKE = (
    "GET /ws/auth?token={token} HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
_NOTE = (
    "Each socket is another user's, with a token that is checked, and listens on the presence of"
    " three others, of whom one is the same for all. The memory is the growth of the service's"
    " resident memory; the kernel's buffers are not in it. A presence is told when the last client"
    " has read it."
)


@dataclass(frozen=True, slots=True)
class _Service:
    """The service under test."""

    pid: int
    port: int

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return ask(self.port, method, path, {"X-API-Key": _KEY}, body)


def sockets(rig: Rig) -> Section:
    """Open them all, weigh the service, and tell everybody something."""
    count = rig.scaled(SOCKETS)
    try:
        with _serve() as service, _open(service, AT_ONCE, "warm"):
            before = resident_kib(service.pid)
            begun = time.monotonic()
            with _open(service, count, "user") as clients:
                opening = time.monotonic() - begun
                each = (resident_kib(service.pid) - before) / count
                telling = [_tell_all(service, clients, turn) for turn in range(CHANGES)]
                alive = _connected(service) - AT_ONCE
    except LabError as error:
        raise BenchmarkError(f"the lab: {error}") from error
    return Section(
        f"{count:,} event sockets",
        ("what", "measured"),
        (
            ("sockets open at a time", f"{alive:,}"),
            ("memory for each", f"{each:.1f} KiB"),
            ("opened a second", f"{count / opening:,.0f}"),
            (
                "a presence told to all, median",
                f"{sorted(telling)[len(telling) // 2] * 1000:.0f} ms",
            ),
        ),
        _NOTE,
        (
            Bar("event sockets at a time", f"{count:,}", f"{alive:,}", alive >= count),
            Bar(
                "memory for an event socket",
                f"at most {LIMIT_KIB:.0f} KiB",
                f"{each:.1f} KiB",
                each <= LIMIT_KIB,
            ),
        ),
    )


@contextlib.contextmanager
def _serve() -> Generator[_Service]:
    port = free_port()
    command = (sys.executable, "-m", "fastagi_server", "run")
    with tempfile.TemporaryDirectory(prefix="sockets-") as name:
        folder = Path(name)
        (folder / "config.toml").touch()
        log = folder / "log"
        with running(command, extra=_SETTINGS | {"PORT": str(port)}, log=log, cwd=folder) as child:
            wait_for_port(child, port, log)
            yield _Service(child.pid, port)


@contextlib.contextmanager
def _open(service: _Service, count: int, name: str) -> Generator[list[socket.socket]]:
    """So many sockets, each shaken hands with and subscribed."""
    clients: list[socket.socket] = []
    try:
        while len(clients) < count:
            progress(f"sockets: {len(clients):,} open")
            start = len(clients)
            clients += [_shake(service, f"{name}-{start + each}") for each in range(AT_ONCE)]
            for number, client in enumerate(clients[start:], start):
                _read_until(client, b'"Connected"')
                friends = (f"presence:{name}-{number + each}" for each in (1, 2))
                for channel in (WATCHED, *friends):
                    _send(client, f'{{"type":"Subscribe","channel":"{channel}"}}')
                _read_until(client, b"listen on " + f"presence:{name}-{number + 2}".encode())
        yield clients
    finally:
        for client in clients:
            client.close()


def _shake(service: _Service, user: str) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", service.port), PATIENCE_SECONDS)
    token = jwt.encode({"sub": user, "exp": _FOR_EVER}, _SECRET, algorithm="HS256")
    client.sendall(_HANDSHAKE.format(token=token).encode())
    return client


def _tell_all(service: _Service, clients: Sequence[socket.socket], turn: int) -> float:
    """Seconds until everybody has read how somebody is seen now."""
    begun = time.monotonic()
    words = {"status": "away", "status_message": f"turn {turn}"}
    service.request("PUT", "/api/v1/voip/presence", words)
    for client in clients:
        _read_until(client, f'"turn {turn}"'.encode())
    return time.monotonic() - begun


def _connected(service: _Service) -> int:
    count: int = service.request("GET", "/ws/status")["clients_connected"]
    return count


def _send(client: socket.socket, text: str) -> None:
    payload = text.encode()
    client.sendall(bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload)


def _read_until(client: socket.socket, wanted: bytes) -> None:
    """Read past these bytes. Raises BenchmarkError for a socket that is closed before."""
    found = b""
    while wanted not in found:
        received = client.recv(4096)
        if not received:
            raise BenchmarkError(f"a socket was closed: {found[-200:]!r}")
        found += received
