"""The dialplan as Asterisk has it loaded: our contexts, and where its AGI lines point."""

import re
from collections.abc import Iterable, Iterator, Mapping

from fastagi_server.ami.connection import Connection
from fastagi_server.ami.errors import AmiError, AmiRefusedError
from fastagi_server.doctor.case import Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.settings import Settings, SettingsError
from fastagi_server.testing.caller import parse_url

SUBROUTINES = ("sge-register", "sge-answered", "sge-ended")
"""Contexts of dialplan/extensions.conf without which calls are not registered or not ended."""

GLOBALS = ("SGE_AGI", "SGE_STASIS", "SGE_AGI_SECRET")
RELOAD = "asterisk -rx 'dialplan reload'"
EVERYWHERE = {"0.0.0.0", "::"}

_AGI_URL = re.compile(r"agi://(?:\[[^\]]+\]|[^/?,)\s\[\]]+)", re.IGNORECASE)

Line = Mapping[str, str]


async def look(case: Case) -> Findings:
    """Contexts, AGI lines, the secret of the challenge, and Stasis."""
    if not case.settings.asterisk_ami_host:
        return  # said in the group of the manager interface
    try:
        connection = await case.manager()
        lines = await _loaded(connection)
        values = await _globals(connection)
    except AmiRefusedError as error:
        why = f"cannot be seen: {error}; write lacks reporting"
        yield warn("dialplan", why, "asterisk -rx 'dialplan show'")
        return
    except (AmiError, SettingsError, OSError) as error:
        yield warn("dialplan", f"cannot be seen: {error}", "asterisk -rx 'dialplan show'")
        return
    for group in (
        _contexts(lines, case.settings),
        _agi_lines(lines, values, case.settings),
        _secret(values, case.settings),
        _stasis(lines, values, case.settings),
    ):
        for finding in group:
            yield finding


async def _loaded(connection: Connection) -> list[dict[str, str]]:
    try:
        return await connection.listed("ShowDialPlan", "ListDialplan")
    except AmiRefusedError as error:
        if "ermission" in error.message:
            raise
        return []  # there is no dialplan at all


async def _globals(connection: Connection) -> dict[str, str]:
    return {
        name: (await connection.action("Getvar", {"Variable": name})).get("Value", "")
        for name in GLOBALS
    }


def _contexts(lines: Iterable[Line], settings: Settings) -> Iterator[Finding]:
    loaded = {line.get("Context", "") for line in lines}
    missing = [name for name in SUBROUTINES if name not in loaded]
    if missing:
        yield fail("contexts", f"{', '.join(missing)} are not loaded", RELOAD)
    else:
        yield ok("contexts", f"{', '.join(SUBROUTINES)} are loaded")
    named = {*settings.sge_supervised_contexts, *settings.sge_outbound_contexts} - {"*"}
    absent = sorted(named - loaded)
    if absent:
        why = f"{', '.join(absent)}: named by SGE_SUPERVISED_CONTEXTS or SGE_OUTBOUND_CONTEXTS"
        yield warn("contexts", f"not loaded: {why}", RELOAD)


def _agi_lines(
    lines: Iterable[Line], values: Mapping[str, str], settings: Settings
) -> Iterator[Finding]:
    texts = (line.get("AppData", "").replace("${SGE_AGI}", values["SGE_AGI"]) for line in lines)
    urls = sorted({url for text in texts for url in _AGI_URL.findall(text)})
    if not urls:
        yield fail("AGI lines", "no line asks agi://...: no call is registered", RELOAD)
    for url in urls:
        yield _agi_line(url, settings)


def _agi_line(url: str, settings: Settings) -> Finding:
    fix = "asterisk -rx 'dialplan show globals'; correct SGE_AGI in extensions.conf"
    ours = ", ".join(settings.fastagi_listen)
    try:
        host, port, _ = parse_url(url)
    except ValueError as error:
        return fail("AGI lines", str(error), fix)
    ports = {port for _, port in settings.listen_addresses}
    if port not in ports:
        return fail("AGI lines", f"{url} is asked, and we listen on {ours}", fix)
    hosts = {host for host, its_port in settings.listen_addresses if its_port == port}
    if host in hosts or hosts & EVERYWHERE:
        return ok("AGI lines", f"{url} is asked, and we listen on {ours}")
    return warn("AGI lines", f"{url} is asked; is that this machine? We listen on {ours}", fix)


def _secret(values: Mapping[str, str], settings: Settings) -> Iterator[Finding]:
    ours = settings.fastagi_secret.get_secret_value()
    if ours and values["SGE_AGI_SECRET"] != ours:
        why = "the global SGE_AGI_SECRET is not FASTAGI_SECRET: every call is refused"
        yield fail("AGI secret", why, "asterisk -rx 'dialplan show globals'")


def _stasis(
    lines: Iterable[Line], values: Mapping[str, str], settings: Settings
) -> Iterator[Finding]:
    if values["SGE_STASIS"] != "yes":
        return
    if not settings.asterisk_ari_url:
        why = "SGE_STASIS is yes, but there is no ASTERISK_ARI_URL: nobody takes these calls"
        yield fail("Stasis", why, "asterisk -rx 'dialplan set global SGE_STASIS no'")
        return
    asked = {
        line.get("AppData", "").partition(",")[0]
        for line in lines
        if line.get("Application") == "Stasis"
    }
    foreign = sorted(asked - set(settings.ari_applications))
    if foreign:
        why = f"{', '.join(foreign)}: no application of this service has that name"
        yield warn("Stasis", why, "compare ASTERISK_ARI_APP with Stasis(...) in extensions.conf")
    else:
        yield ok("Stasis", "calls are handed to this service")
