"""The manager interface: reachable, our user's secret, and the classes that supervision needs."""

from fastagi_server.ami.connection import CLASSES, Connection
from fastagi_server.ami.errors import (
    AmiError,
    AmiLoginError,
    AmiTooSlowError,
    AmiUnreachableError,
)
from fastagi_server.doctor.case import Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.settings import SettingsError

BOOT_SECONDS = 2.0
WRITE_MS = 1000

NEEDED = {"CoreStatus": "reporting", "CoreSettings": "reporting", "CoreShowChannels": "reporting"}
"""Actions without which calls cannot be supervised, and the least class that allows each."""

USEFUL = {"Getvar": "reporting", "PJSIPShowContacts": "system", "GetConfig": "system"}

DANGEROUS = ("all", "command", "originate")
"""Classes of `write` that we do not need, with which a stolen secret runs programs."""


async def look(case: Case) -> Findings:
    """Reach it, log in, and compare what the user may with what is needed."""
    settings = case.settings
    if not settings.asterisk_ami_host:
        yield warn(
            "AMI",
            "not configured: calls are not supervised, and dialplan and media cannot be looked at",
            "set ASTERISK_AMI_HOST and ASTERISK_AMI_SECRET_FILE",
        )
        return
    user = settings.asterisk_ami_username
    show = f"asterisk -rx 'manager show user {user}'"
    try:
        connection = await case.manager()
    except AmiLoginError as error:
        why = f"{user} is refused ({error}): name, secret, or the address is not permitted"
        yield fail("AMI", why, show)
        return
    except (AmiUnreachableError, AmiTooSlowError, SettingsError, OSError) as error:
        yield fail("AMI", str(error), "asterisk -rx 'manager show settings'")
        return
    yield ok("AMI", f"lets {user} in")
    try:
        yield await _booted(connection, show)
        for finding in await _actions(connection, show):
            yield finding
        for finding in _classes(await case.configured("manager.conf", user), show):
            yield finding
    except AmiError as error:
        yield fail("AMI", str(error), show)


async def _booted(connection: Connection, show: str) -> Finding:
    try:
        await connection.wait_booted(BOOT_SECONDS)
    except AmiTooSlowError:
        why = "FullyBooted does not come: Asterisk still starts, or read lacks system"
        return fail("events", why, show)
    return ok("events", "Asterisk is complete, and its events come")


async def _actions(connection: Connection, show: str) -> list[Finding]:
    allowed = await connection.action("ListCommands")
    missing = {name: least for name, least in NEEDED.items() if name not in allowed}
    if missing:
        why = f"may not {', '.join(missing)}: write lacks {_classes_of(missing)}"
        return [fail("actions", why, show)]
    missing = {name: least for name, least in USEFUL.items() if name not in allowed}
    if missing:
        why = f"may not {', '.join(missing)}: write lacks {_classes_of(missing)}"
        return [warn("actions", why, show)]
    return [ok("actions", "all that supervision asks are allowed")]


def _classes_of(missing: dict[str, str]) -> str:
    return ", ".join(sorted(set(missing.values())))


def _classes(user: dict[str, str] | None, show: str) -> list[Finding]:
    """What manager.conf says; our own secret, which is in it too, goes no further than here."""
    if user is None:
        return [warn("classes", "cannot be seen: write lacks system", show)]
    findings: list[Finding] = []
    read, write = _words(user.get("read", "")), _words(user.get("write", ""))
    missing = [name for name in CLASSES.split(",") if "all" not in read and name not in read]
    if missing:
        findings.append(fail("classes", f"read lacks {', '.join(missing)}", show))
    surplus = [name for name in DANGEROUS if name in write]
    if surplus:
        why = f"write has {', '.join(surplus)}: system,reporting is enough"
        findings.append(warn("classes", why, show))
    milliseconds = user.get("writetimeout", "100")
    if not milliseconds.isdigit() or int(milliseconds) < WRITE_MS:
        why = f"writetimeout is {milliseconds} ms: a short pause costs us the connection"
        fix = "set it to 5000, then asterisk -rx 'manager reload'"
        findings.append(warn("classes", why, fix))
    return findings or [ok("classes", f"read has {CLASSES}")]


def _words(text: str) -> set[str]:
    return {word.strip() for word in text.split(",")}
