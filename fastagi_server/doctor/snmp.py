"""snmpd: there, told to ask us, and answering with our figures."""

import asyncio
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastagi_server.doctor.case import SECONDS, Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.snmp.objects import BASE, SERVICE_UP_ARC

OID = "." + ".".join(map(str, BASE))
SERVICE_UP = f"{OID}.1.{SERVICE_UP_ARC}.1"
LINE = f"pass_persist {OID} /usr/local/bin/fastagi-server snmp"

_COMMUNITY = re.compile(r"^\s*r[ow]community\s+(\S+)", re.MULTILINE)
_PASS = re.compile(rf"^\s*pass_persist\s+(?:-p\s+\S+\s+)?{re.escape(OID)}\s+(.+)$", re.MULTILINE)
_PORT = re.compile(r"^\s*agentaddress\s+(?:.*[:,])?(\d+)\s*$", re.MULTILINE | re.IGNORECASE)

Answer = tuple[int, str]
"""snmpget's exit code, and all that it printed."""


async def look(case: Case) -> Findings:
    """The program, its configuration, its answer."""
    if _program("snmpd") is None:
        yield warn("snmpd", "is not installed: nobody answers SNMP", "apt-get install snmpd snmp")
        return
    text = await asyncio.to_thread(_configuration, case.snmpd_conf)
    line = _PASS.search(text)
    if line is None:
        why = f"no pass_persist line for {OID} in {case.snmpd_conf} or its .conf.d"
        yield warn("snmpd", why, f"add {LINE!r}, then systemctl restart snmpd")
        return
    yield ok("snmpd.conf", f"asks {line[1].strip()}")
    yield await _asked(text)


def _program(name: str) -> str | None:
    # snmpd is in a folder that is in the path of root only.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _configuration(path: Path) -> str:
    """The text of all files that snmpd reads, those that we may read."""
    return "\n".join(_texts([path, *sorted(path.with_name(f"{path.name}.d").glob("*.conf"))]))


def _texts(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        try:
            yield path.read_text(errors="replace")
        except OSError:
            continue


async def _asked(text: str) -> Finding:
    community, port = _COMMUNITY.search(text), _PORT.search(text)
    if community is None:
        why = "has no rocommunity that we may read: not asked"
        return warn("snmpd", why, f"snmpget -v3 ... localhost {SERVICE_UP}")
    if _program("snmpget") is None:
        return warn("snmpd", "snmpget is not installed: not asked", "apt-get install snmp")
    address = f"127.0.0.1:{port[1] if port else 161}"
    try:
        code, said = await _snmpget(address, community[1])
    except TimeoutError:
        return fail("snmpd", f"{address} does not answer", "systemctl restart snmpd")
    if code or "Timeout" in said:
        return fail("snmpd", f"{address} does not answer", "systemctl restart snmpd")
    if "No Such" in said:
        why = f"{address} answers, but knows nothing of us: the command cannot be started"
        return fail("snmpd", why, "journalctl -u snmpd")
    if not said.rstrip().endswith("1"):
        why = "answers that the service does not give its measures"
        return fail("snmpd", why, "systemctl status fastagi-server; see --url in snmpd.conf")
    return ok("snmpd", f"{address} answers with our figures")


async def _snmpget(address: str, community: str) -> Answer:
    """Ask for voipServiceUp. The community goes by a file: other users see arguments."""
    with tempfile.TemporaryDirectory(prefix="fastagi-doctor-") as folder:
        (Path(folder) / "snmp.conf").write_text(f"defVersion 2c\ndefCommunity {community}\n")
        process = await asyncio.create_subprocess_exec(
            str(_program("snmpget")),
            *("-t", "1", "-r", "1", "-On", address, SERVICE_UP),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={
                "PATH": os.environ.get("PATH", ""),
                "SNMPCONFPATH": folder,
                "MIBS": "",
                "SNMP_PERSISTENT_DIR": folder,
            },
        )
        try:
            async with asyncio.timeout(SECONDS):
                said, _ = await process.communicate()
        except BaseException:
            process.kill()
            await process.wait()
            raise
    return process.returncode or 0, said.decode(errors="replace")
