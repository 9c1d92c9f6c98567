"""Memory: of the AGI role at rest, and of thousands of sessions that wait."""

import contextlib
import select
import socket
import time
from collections.abc import Generator

from benchmarks.processes import BenchmarkError, resident_kib
from benchmarks.report import Bar, Section
from benchmarks.rig import Rig
from benchmarks.servers import CHANNEL_LINES, OURS, REFERENCE, Server

SESSIONS = 5_000
SESSION_LIMIT_BYTES = 7_000
BASE_LIMIT_MIB = 60.0
HELD_SECONDS = 20.0

_REQUEST = (
    "agi_network: yes\nagi_network_script: {script}\n"
    "agi_request: agi://127.0.0.1/{script}\n" + CHANNEL_LINES
)


# `end` begins with a command and so waits for its reply; `register` has said all that it has to
# say, and our server has closed its side
_IDLE_STATES = {
    f"{OURS.name}, waits for a reply": (OURS, "end"),
    f"{OURS.name}, waits for the peer's end": (OURS, "register"),
    f"{REFERENCE.name}, waits for a reply": (REFERENCE, "register"),
}


def base(rig: Rig) -> Section:
    """Resident memory of our AGI role: started, and after calls."""
    with rig.api() as api_port, rig.serve(OURS, api_port) as served:
        rig.load(served, calls=10, concurrent=1)
        started = resident_kib(served.pid) / 1024
        rig.load(served, calls=rig.scaled(10_000), concurrent=50)
        worked = resident_kib(served.pid) / 1024
    return Section(
        "Memory of the AGI role",
        ("state", "resident MiB"),
        (("after its first calls", f"{started:.1f}"), ("after load", f"{worked:.1f}")),
        "The AGI role alone: the SGE API is another process.",
        (
            Bar(
                "base memory of the AGI role",
                f"at most {BASE_LIMIT_MIB:.0f} MiB",
                f"{started:.1f} MiB",
                started <= BASE_LIMIT_MIB,
            ),
        ),
    )


def idle_sessions(rig: Rig) -> Section:
    """What each of many sessions costs whose peer sent its request and then says nothing."""
    with rig.api() as api_port:
        each = {
            state: _bytes_each(rig, server, api_port, script)
            for state, (server, script) in _IDLE_STATES.items()
        }
    worst = max(size for state, size in each.items() if state.startswith(OURS.name))
    return Section(
        f"{SESSIONS:,} idle sessions",
        ("server and state", "bytes a session"),
        tuple((state, f"{size:,.0f}") for state, size in each.items()),
        "Growth of the server's resident memory, after a warm-up, with every session in this "
        "state. Socket buffers belong to the kernel and are not in it.",
        (
            Bar(
                f"memory of each of {SESSIONS:,} idle sessions, the worse state",
                f"at most {SESSION_LIMIT_BYTES:,} bytes",
                f"{worst:,.0f} bytes",
                worst <= SESSION_LIMIT_BYTES,
            ),
        ),
    )


def _bytes_each(rig: Rig, server: Server, api_port: int, script: str) -> float:
    with rig.serve(server, api_port) as served:
        rig.load(served, calls=500, concurrent=50)
        before = resident_kib(served.pid)
        with held(served.port, script):
            after = resident_kib(served.pid)
    return (after - before) * 1024 / SESSIONS


@contextlib.contextmanager
def held(port: int, script: str) -> Generator[None]:
    """Hold SESSIONS sessions that have got their first command and answer nothing.

    Raises BenchmarkError when a session ends by itself or HELD_SECONDS pass before all wait.
    """
    with contextlib.ExitStack() as stack:
        poller = select.poll()
        waiting: dict[int, socket.socket] = {}
        for serial in range(SESSIONS):
            session = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5.0))
            session.sendall(_REQUEST.format(script=script, serial=serial).encode())
            poller.register(session, select.POLLIN)
            waiting[session.fileno()] = session
        deadline = time.monotonic() + HELD_SECONDS
        while waiting:
            ready = poller.poll(1000)
            if time.monotonic() > deadline:
                raise BenchmarkError(f"{len(waiting)} sessions got no command")
            for number, _ in ready:
                if not waiting.pop(number).recv(4096):
                    raise BenchmarkError("a session ended instead of waiting")
                poller.unregister(number)
        yield
