"""Codecs that endpoints want and Asterisk must have, and the ports that audio takes."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fastagi_server.ami.connection import Connection
from fastagi_server.ami.errors import AmiError, AmiRefusedError
from fastagi_server.doctor.case import Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.settings import SettingsError

MODULES = {
    "opus": ("codec_opus", "codec_opus_open_source"),
    "g729": ("codec_g729", "codec_g729a"),
    "g722": ("codec_g722",),
    "ulaw": ("codec_ulaw",),
    "alaw": ("codec_alaw",),
    "gsm": ("codec_gsm",),
    "ilbc": ("codec_ilbc",),
    "speex": ("codec_speex",),
    "g726": ("codec_g726",),
    "codec2": ("codec_codec2",),
}
"""Formats, and the modules either of which translates each."""

ALWAYS_TOLD = ("opus", "g729")
"""Those that no Asterisk brings along."""

MAX_ENDPOINTS = 200
PORTS_PER_CALL = 4
"""Of two legs, each with a port for audio and one for its reports."""

FEW_CALLS = 50
DEFAULT_RANGE = (5000, 31000)
"""Of Asterisk, where rtp.conf says nothing."""

EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


async def look(case: Case) -> Findings:
    """Codecs, then ports."""
    if not case.settings.asterisk_ami_host:
        return  # said in the group of the manager interface
    try:
        connection = await case.manager()
        wanted = await _wanted(connection)
        formats = sorted({*ALWAYS_TOLD, *wanted} & MODULES.keys())
        loaded = {name: await _module(connection, name) for name in formats}
    except AmiRefusedError as error:
        yield warn(
            "codecs", f"cannot be seen: {error}; write lacks system", "core show translation"
        )
        return
    except (AmiError, SettingsError, OSError) as error:
        yield warn("codecs", f"cannot be seen: {error}", "asterisk -rx 'core show translation'")
        return
    for finding in _codecs(wanted, loaded):
        yield finding
    try:
        general = await case.configured("rtp.conf", "general")
    except AmiError as error:
        yield warn("RTP ports", f"cannot be seen: {error}", "asterisk -rx 'rtp show settings'")
        return
    for finding in rtp_range(general or {}, _ephemeral()):
        yield finding


async def _wanted(connection: Connection) -> dict[str, list[str]]:
    """The endpoints that allow each format."""
    try:
        listed = await connection.listed("PJSIPShowEndpoints", "EndpointList")
    except AmiRefusedError as error:
        if "ermission" in error.message:
            raise
        return {}  # no endpoints
    wanted: dict[str, list[str]] = {}
    for name in sorted(each.get("ObjectName", "") for each in listed)[:MAX_ENDPOINTS]:
        details = await connection.listed("PJSIPShowEndpoint", "EndpointDetail", {"Endpoint": name})
        for text in details[0].get("Allow", "").strip("()").split("|") if details else ():
            wanted.setdefault(text, []).append(name)
    return wanted


async def _module(connection: Connection, name: str) -> str:
    """The module that translates a format; empty when none is loaded."""
    for module in MODULES[name]:
        try:
            await connection.action("ModuleCheck", {"Module": f"{module}.so"})
        except AmiRefusedError as error:
            if "ermission" in error.message:
                raise
        else:
            return module
    return ""


def _codecs(wanted: Mapping[str, Iterable[str]], loaded: Mapping[str, str]) -> Iterator[Finding]:
    for name, module in loaded.items():
        subject, users = f"codec {name}", ", ".join(wanted.get(name, ()))
        if module:
            yield ok(subject, f"{module} is loaded; allowed by {users or 'no endpoint'}")
        elif users:
            fix = f"asterisk -rx 'module load {MODULES[name][0]}.so', or take it from `allow`"
            why = f"allowed by {users}, but {' or '.join(MODULES[name])} is not loaded"
            yield fail(subject, f"{why}: no call between it and another codec", fix)
        else:
            yield ok(subject, "not loaded, and allowed by no endpoint")


def rtp_range(general: Mapping[str, str], ephemeral: tuple[int, int] | None) -> Iterator[Finding]:
    """What rtp.conf says; `ephemeral` are the ports that this machine's programs get."""
    show = "asterisk -rx 'rtp show settings'"
    try:
        first = int(general.get("rtpstart", DEFAULT_RANGE[0]))
        last = int(general.get("rtpend", DEFAULT_RANGE[1]))
    except ValueError:
        yield fail("RTP ports", "rtpstart or rtpend in rtp.conf is no number", show)
        return
    calls = (last - first + 1) // PORTS_PER_CALL
    ports = f"UDP {first}-{last}"
    if calls <= 0:
        yield fail("RTP ports", f"{ports}: there are none", show)
    elif calls < FEW_CALLS:
        yield warn("RTP ports", f"{ports} are enough for {calls} calls", show)
    else:
        yield ok(
            "RTP ports", f"{ports} are enough for {calls} calls; the firewall must let them in"
        )
    if ephemeral is not None and first <= ephemeral[1] and last >= ephemeral[0]:
        why = f"{ports} overlap with {ephemeral[0]}-{ephemeral[1]}, which other programs get"
        yield warn("RTP ports", why, "sysctl net.ipv4.ip_local_port_range")


def _ephemeral() -> tuple[int, int] | None:
    try:
        first, last = EPHEMERAL.read_text().split()
    except (OSError, ValueError):
        return None
    return int(first), int(last)
