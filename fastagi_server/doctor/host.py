"""The machine: the unit of the service manager, the limit of open files, room on the disks."""

import asyncio
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

from fastagi_server.doctor.case import SECONDS, Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.doctor.listeners import listeners_on
from fastagi_server.health.probes import FULL_BYTES, LOW_BYTES
from fastagi_server.settings import Settings

UNIT = "fastagi-server.service"
BOOTED = Path("/run/systemd/system")
"""There when systemd runs this machine."""

OTHER_FILES = 500
"""What a service has open beside its AGI sessions: HTTP, ARI, databases, logs."""


async def look(case: Case) -> Findings:
    """Unit, files, disks."""
    yield await _unit()
    yield await asyncio.to_thread(_files, case.settings)
    for finding in await asyncio.to_thread(lambda: list(_disks(case.settings))):
        yield finding


async def _unit() -> Finding:
    if not await asyncio.to_thread(BOOTED.exists):
        return ok("systemd", "does not run this machine")
    properties = "LoadState,ActiveState,SubState,Result,NRestarts"
    process = await asyncio.create_subprocess_exec(
        "systemctl",
        "show",
        UNIT,
        "-p",
        properties,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(SECONDS):
            said, _ = await process.communicate()
    except BaseException as error:
        process.kill()
        await process.wait()
        if not isinstance(error, TimeoutError):
            raise
        return fail("systemd", "does not answer", "systemctl status")
    pairs = (line.partition("=") for line in said.decode(errors="replace").splitlines())
    return unit_state({name: value for name, _, value in pairs})


def unit_state(shown: dict[str, str]) -> Finding:
    """What `systemctl show` says of our unit."""
    fix = f"systemctl status {UNIT}; journalctl -u {UNIT} -n 50"
    if shown.get("LoadState") != "loaded":
        return warn("systemd", f"{UNIT} is not installed", "see docs/how-to/install.md")
    state = f"{shown.get('ActiveState')} ({shown.get('SubState')})"
    if shown.get("ActiveState") == "failed":
        return fail("systemd", f"{UNIT} has failed: {shown.get('Result')}", fix)
    if shown.get("ActiveState") != "active":
        return warn("systemd", f"{UNIT} is {state}", fix)
    restarts = shown.get("NRestarts", "0")
    if restarts not in {"0", ""}:
        return warn("systemd", f"{UNIT} is {state}, started again {restarts} times", fix)
    return ok("systemd", f"{UNIT} is {state}")


def _files(settings: Settings) -> Finding:
    """The limit of the running service, and ours where that cannot be seen."""
    limit = _limit_of_service(settings)
    whose = "the service's"
    if limit is None:
        limit, whose = resource.getrlimit(resource.RLIMIT_NOFILE)[1], "this shell's"
    return open_files(limit, whose, settings.fastagi_max_sessions)


def open_files(limit: int, whose: str, sessions: int) -> Finding:
    """Whether as many sessions fit as the settings allow; a negative limit is none."""
    if limit < 0 or limit >= sessions + OTHER_FILES:
        return ok("open files", f"{whose} limit is {limit if limit >= 0 else 'unlimited'}")
    why = f"{whose} limit is {limit}, and FASTAGI_MAX_SESSIONS is {sessions}"
    return warn("open files", why, "LimitNOFILE=65536 in the unit, or ulimit -Hn")


def _limit_of_service(settings: Settings) -> int | None:
    for _, port in settings.listen_addresses:
        for listener in listeners_on(port) if port else ():
            limit = _hard_limit(Path(f"/proc/{listener.pid}/limits"))
            if limit is not None and listener.name != "systemd":  # which may hold the socket, too
                return limit
    return None


def _hard_limit(path: Path) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    words = "".join(line for line in lines if line.startswith("Max open files")).split()
    return int(words[4]) if len(words) > 4 and words[4].isdigit() else None  # noqa: PLR2004


def _disks(settings: Settings) -> Iterator[Finding]:
    folders = [settings.fastagi_state_dir]
    if settings.fastagi_log_file is not None:
        folders.append(settings.fastagi_log_file.parent)
    for folder in dict.fromkeys(map(_existing, folders)):
        yield disk_space(
            folder, shutil.disk_usage(folder).free, is_writable=os.access(folder, os.W_OK)
        )


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder


def disk_space(folder: Path, free: int, *, is_writable: bool) -> Finding:
    """Whether what is written there fits."""
    subject, mebibytes = f"disk {folder}", free // (1024 * 1024)
    if free < FULL_BYTES:
        return fail(subject, f"is full: {mebibytes} MiB are free", f"du -xh {folder} | sort -h")
    if free < LOW_BYTES:
        return warn(subject, f"{mebibytes} MiB are free", f"du -xh {folder} | sort -h")
    if not is_writable:
        return warn(subject, "is not writable by this user", "run the doctor as the service's user")
    return ok(subject, f"{mebibytes} MiB are free")
