"""Sends traps with Debian's snmptrap, which knows SNMPv3 and reads its secrets from snmp.conf.

So no community and no password of ours is in a process list or in our settings.
"""

import shutil
import subprocess
from collections.abc import Sequence

from fastagi_server.snmp.objects import dotted
from fastagi_server.snmp.traps import Trap

SEND_SECONDS = 5.0


class SendError(Exception):
    """A trap was not sent; the text says why."""


def require_program() -> str:
    """Where snmptrap is. Raises SendError."""
    program = shutil.which("snmptrap")
    if program is None:
        raise SendError("there is no snmptrap: install the package snmp")
    return program


def send(trap: Trap, destinations: Sequence[str]) -> None:
    """Send to each destination; the first failure is raised as SendError when all were tried."""
    program = require_program()
    failures = [failure for each in destinations if (failure := _send(program, trap, each))]
    if failures:
        raise SendError(failures[0])


def _send(program: str, trap: Trap, destination: str) -> str:
    # The empty argument is the agent's uptime: snmptrap fills in this machine's.
    what = [dotted(trap.notification.oid), dotted(trap.oid), trap.kind, trap.value]
    try:
        done = subprocess.run(  # noqa: S603 - a program of the system, and numbers
            [program, destination, "", *what],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=SEND_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"{destination}: snmptrap took more than {SEND_SECONDS:.0f} s"
    except OSError as error:
        return f"{destination}: {error}"
    return f"{destination}: {done.stderr.strip()}" if done.returncode else ""
