"""A real snmpd and a real snmptrapd on loopback, set up as docs/how-to/snmp.md says.

with Service.start() as service, Snmpd.start(service.metrics) as agent:
    assert agent.get(".1.3.6.1.4.1.8072.1.3.2.3.2.1.1.1") == "Gauge32: 0"
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from lab import processes
from lab.errors import CommandError, StartError

ROOT = Path(__file__).parents[1]

COMMUNITY = "public"
USER = "operator"
PASSWORD = "lab-passphrase"  # noqa: S105 - of a server that only this machine can reach

START_SECONDS = 10.0
STOP_SECONDS = 5.0
QUERY_SECONDS = 20.0
LOG_SECONDS = 20.0

_SNMPD = """
agentAddress udp:127.0.0.1:{port}
rocommunity {community} 127.0.0.1
createUser {user} SHA {password} AES {password}
rouser {user} priv
pass_persist .1.3.6.1.4.1.8072.1.3.2.3.2 {python} -m fastagi_server snmp --url {url} --max-age 3
"""

_SNMPTRAPD = """
snmpTrapdAddr udp:127.0.0.1:{port}
authCommunity log {community}
"""

_CLIENT = """
defVersion 2c
defCommunity {community}
"""


class _Daemon:
    """One of the two, in a folder and on a port of its own."""

    program = ""

    def __init__(self, configuration: str, **fields: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"fastagi-{self.program}-"))
        self.port = _free_port()
        self._log_file = self.folder / "log"
        self._child: subprocess.Popen[bytes] | None = None
        text = configuration.format(port=self.port, community=COMMUNITY, **fields)
        (self.folder / "daemon.conf").write_text(text)
        (self.folder / "snmp.conf").write_text(_CLIENT.format(community=COMMUNITY))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the environment in which Net-SNMP's programs read no file of this host."""
        return {
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": str(ROOT),
            "SNMPCONFPATH": str(self.folder),
            "SNMP_PERSISTENT_DIR": str(self.folder),
            "MIBS": "",
        }

    def log(self) -> str:
        """Return what the daemon has said."""
        return self._log_file.read_text(errors="replace")

    def wait_for_log(self, text: str, seconds: float = LOG_SECONDS) -> None:
        """Wait for a text in the log. Raises CommandError with the log when it does not come."""
        if not processes.wait_until(lambda: text in self.log(), seconds):
            raise CommandError(f"{text!r} was not logged in {seconds:.0f} s:\n{self.log()}")

    def stop(self) -> None:
        """End the daemon and remove its files. May be called twice."""
        if self._child is not None:
            processes.end(self._child, STOP_SECONDS)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, started: str, *options: str) -> None:
        """Start the daemon; return when its log has the text `started`. Raises StartError."""
        command = [self.program, "-f", "-Lo", "-C", "-c", str(self.folder / "daemon.conf")]
        self._child = processes.start(
            [*command, *options], self._log_file, environment=self.environment(), folder=self.folder
        )
        if not processes.wait_until(lambda: started in self.log(), START_SECONDS):
            output = self.log()
            self.stop()
            raise StartError(f"{self.program} was not up in {START_SECONDS:.0f} s:\n{output}")


class Snmpd(_Daemon):
    """An agent that asks the service; `start` makes it."""

    program = "snmpd"

    @classmethod
    def start(cls, url: str) -> Self:
        """Start an agent whose objects come from the measures at `url`. Raises StartError."""
        agent = cls(_SNMPD, url=url, python=sys.executable, user=USER, password=PASSWORD)
        agent.run("NET-SNMP version")
        return agent

    def get(self, *oids: str, version3: bool = False) -> list[str]:
        """Return what snmpget prints for these OIDs, type and value only."""
        return self._ask("snmpget", oids, version3=version3)

    def walk(self, oid: str) -> list[str]:
        """Return what snmpwalk prints below an OID, with the OIDs."""
        return self._ask("snmpwalk", (oid,), form="-On")

    def set(self, oid: str, kind: str, value: str) -> list[str]:
        """Try to set an object. Raises CommandError when the agent refuses."""
        return self._ask("snmpset", (oid, kind, value))

    def _ask(
        self, program: str, words: Sequence[str], *, form: str = "-Ov", version3: bool = False
    ) -> list[str]:
        who = ["-v2c", "-c", COMMUNITY]
        if version3:
            keys = ["-a", "SHA", "-A", PASSWORD, "-x", "AES", "-X", PASSWORD]
            who = ["-v3", "-l", "authPriv", "-u", USER, *keys]
        done = subprocess.run(
            [program, *who, form, "-t", "3", "-r", "1", self.address, *words],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=QUERY_SECONDS,
        )
        if done.returncode:
            raise CommandError(f"{program}: {done.stderr or done.stdout}")
        return done.stdout.splitlines()


class Snmptrapd(_Daemon):
    """A manager that logs the traps it gets; `start` makes it."""

    program = "snmptrapd"

    @classmethod
    def start(cls) -> Self:
        """Start a manager. Raises StartError."""
        manager = cls(_SNMPTRAPD)
        manager.run("NET-SNMP version", "-On")
        return manager


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
