"""A real coturn between two networks that reach each other through nothing else.

    near 10.77.0.2 --- 10.77.0.1 [coturn] 10.77.1.1 --- 10.77.1.2 far

with Relay.start("secret") as relay:
    relay.near.run("turnutils_uclient", ...)

Each of the three is a network namespace without a name, so that any number of relays run side by
side and nothing is left of them. The machine in the middle forwards no packet.
"""

import shutil
import subprocess
import tempfile
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import processes
from lab.errors import CommandError, StartError

PROGRAMS = ("turnserver", "turnutils_uclient", "turnutils_peer", "ip", "unshare", "nsenter")

NEAR, NEAR_GATE = "10.77.0.2", "10.77.0.1"
FAR, FAR_GATE = "10.77.1.2", "10.77.1.1"
PORT = 3478
URL = f"turn:{NEAR_GATE}:{PORT}"
"""Where the near side finds coturn."""

STEP_SECONDS = 30.0
START_SECONDS = 10.0
STOP_SECONDS = 5.0

_CONFIGURATION = """
listening-ip={NEAR_GATE}
listening-port={PORT}
relay-ip={FAR_GATE}
realm=lab
use-auth-secret
static-auth-secret={secret}
no-cli
no-tls
no-dtls
no-multicast-peers
log-file=stdout
pidfile={folder}/pid
userdb={folder}/users
"""


class Namespace:
    """A network of its own, which lasts as long as this object is open."""

    def __init__(self, folder: Path, name: str) -> None:
        log = folder / f"{name}.log"
        command = ["unshare", "--net", "--", "sh", "-c", "echo ready; exec sleep infinity"]
        self._child = processes.start(command, log)
        if not processes.wait_until(lambda: log.read_bytes() != b"", START_SECONDS):
            self.close()
            raise StartError(f"no network namespace was made: {log.read_text()}")
        self.run("ip", "link", "set", "lo", "up")

    @property
    def number(self) -> int:
        """The id of a process in it."""
        return self._child.pid

    def command(self, *words: str) -> list[str]:
        """Return the command that runs a program in this network."""
        return ["nsenter", f"--target={self.number}", "--net", "--", *words]

    def run(self, *words: str) -> str:
        """Run a program to its end; return its output. Raises CommandError when it fails."""
        done = subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=STEP_SECONDS,
        )
        if done.returncode:
            raise CommandError(f"{' '.join(words)}: {done.stdout}")
        return done.stdout

    def connect(self, name: str, other: "Namespace") -> None:
        """Lay a cable: `name` on this side, `eth0` on the other one."""
        peer = ("peer", "name", "eth0", "netns", str(other.number))
        self.run("ip", "link", "add", name, "type", "veth", *peer)

    def give_address(self, address: str, device: str = "eth0") -> None:
        """Give a device the address, in a network of 256."""
        self.run("ip", "address", "add", f"{address}/24", "dev", device)
        self.run("ip", "link", "set", device, "up")

    def wrap(self, program: Path, wrapper: Path) -> Path:
        """Write a script that runs the program in this network, for who takes no command."""
        words = " ".join(self.command(str(program)))
        wrapper.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        wrapper.chmod(0o700)
        return wrapper

    def close(self) -> None:
        """End it; what still runs in it keeps it. May be called twice."""
        processes.end(self._child, STOP_SECONDS)


class Relay:
    """coturn with a near and a far side; `start` makes it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="fastagi-turn-"))
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.near, self.far, self._middle = (
                stack.enter_context(closing(Namespace(self.folder, name)))
                for name in ("near", "far", "middle")
            )
            self._stack = stack.pop_all()

    @classmethod
    def start(cls, secret: str) -> Self:
        """Make the networks and start coturn with this secret. Raises LabError."""
        relay = cls()
        try:
            relay._connect()
            relay._serve(secret)
        except BaseException:
            relay.stop()
            raise
        return relay

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def log(self) -> str:
        """Return what coturn has said."""
        return (self.folder / "turnserver.log").read_text(errors="replace")

    def serve_echo(self, port: int) -> None:
        """Have everything that comes to this UDP port of the far side sent back."""
        self._run(self.far, "turnutils_peer", "-L", FAR, "-p", str(port))
        self.far.run("sh", "-c", _until(f"ss --no-header -lun | grep -q {FAR}:{port}"))

    def stop(self) -> None:
        """End all of it. May be called twice."""
        self._stack.close()

    def _connect(self) -> None:
        for name, side, gate, address in (
            ("near", self.near, NEAR_GATE, NEAR),
            ("far", self.far, FAR_GATE, FAR),
        ):
            self._middle.connect(name, side)
            self._middle.give_address(gate, name)
            side.give_address(address)

    def _serve(self, secret: str) -> None:
        file = self.folder / "turnserver.conf"
        fields = {"NEAR_GATE": NEAR_GATE, "FAR_GATE": FAR_GATE, "PORT": PORT}
        file.write_text(_CONFIGURATION.format(secret=secret, folder=self.folder, **fields))
        self._run(self._middle, "turnserver", "-c", str(file))
        try:
            listens = f"ss --no-header -lun | grep -q {NEAR_GATE}:{PORT}"
            self._middle.run("sh", "-c", _until(listens))
        except CommandError as error:
            raise StartError(f"coturn was not up in time:\n{self.log()}") from error

    def _run(self, where: Namespace, program: str, *options: str) -> None:
        child = processes.start(where.command(program, *options), self.folder / f"{program}.log")
        self._stack.callback(processes.end, child, STOP_SECONDS)


def _until(condition: str) -> str:
    """A line of the shell that waits until a condition is true, for START_SECONDS at most."""
    tries = int(START_SECONDS / processes.POLL_SECONDS)
    pause = f"sleep {processes.POLL_SECONDS}"
    return f"for _ in $(seq {tries}); do {condition} && exit 0; {pause}; done; exit 1"
