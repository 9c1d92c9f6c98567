"""Asterisk's REST interface: reachable, our user, the event socket, our applications."""

import asyncio
import ssl
from typing import Any

import httpx

from fastagi_server.ami.errors import AmiError
from fastagi_server.ari.address import normalise_ari_url
from fastagi_server.ari.errors import AriAddressError
from fastagi_server.doctor.case import SECONDS, Case, tls_context
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.settings import Settings, SettingsError

SHOW_USERS = "asterisk -rx 'ari show users'"
SHOW_STATUS = "asterisk -rx 'ari show status'; asterisk -rx 'http show status'"
WRITE_MS = 1000
"""With less than this, one pause of the reader costs it the event socket."""

NO_APPLICATION = 400
"""What a question for an event socket that names no application is answered with."""

TLS_OPTIONS = ("tlsenable", "tlsbindaddr", "tlscertfile", "tlsprivatekey")
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "ZmFzdGFnaS1kb2N0b3IhIQ==",
    "Sec-WebSocket-Protocol": "ari",
}


async def look(case: Case) -> Findings:
    """The interface and what we need of it; then, by the manager interface, how it is set up."""
    settings = case.settings
    if not settings.asterisk_ari_url:
        yield ok("ARI", "not configured: the dialplan leads all calls")
        return
    try:
        async with open_rest(settings) as rest:
            async for finding in _asked(rest, settings):
                yield finding
    except (AriAddressError, SettingsError, OSError) as error:
        yield fail("ARI", str(error), "fastagi-server check")
    except (ValueError, TypeError, AttributeError) as error:
        yield fail("ARI", f"does not answer as Asterisk does: {error}", SHOW_STATUS)
    async for finding in _set_up(case):
        yield finding


def open_rest(settings: Settings) -> httpx.AsyncClient:
    """A client of ARI, to be entered. Raises `AriAddressError`, `SettingsError` and `OSError`."""
    url = normalise_ari_url(settings.asterisk_ari_url)
    verify: ssl.SSLContext | bool = False
    if url.scheme == "https":
        verify = tls_context(settings.asterisk_ari_ca_file)
    return httpx.AsyncClient(
        base_url=url,
        auth=(settings.asterisk_ari_username, settings.ari_password),
        verify=verify,
        timeout=SECONDS,
        trust_env=False,
    )


async def _asked(rest: httpx.AsyncClient, settings: Settings) -> Findings:
    user = settings.asterisk_ari_username
    try:
        info = await rest.get("asterisk/info")
    except httpx.HTTPError as error:
        yield fail("ARI", f"{rest.base_url.host} does not answer: {_words(error)}", SHOW_STATUS)
        return
    refused = _refusal(info, user)
    if refused is not None:
        yield refused
        return
    version = info.json().get("system", {}).get("version", "unknown")
    yield ok("ARI", f"Asterisk {version} lets {user} in")
    yield await _event_socket(settings)
    try:
        listed = await rest.get("applications")
    except httpx.HTTPError as error:
        yield fail("applications", _words(error), SHOW_STATUS)
        return
    for finding in _applications(listed.json(), settings.ari_applications):
        yield finding


def _refusal(answer: httpx.Response, user: str) -> Finding | None:
    match answer.status_code:
        case 200:
            return None
        case 401:
            return fail("ARI", f"401: the name {user} or its password is wrong", SHOW_USERS)
        case 403:
            return fail("ARI", f"403: {user} may not look", SHOW_USERS)
        case 404:
            why = "404: ARI is off, or TLS options in ari.conf have disabled it"
            return fail("ARI", why, SHOW_STATUS)
        case status:
            return fail("ARI", f"answers {status}", SHOW_STATUS)


async def _event_socket(settings: Settings) -> Finding:
    """Ask for a socket of no application, which is refused, but not as an unknown path is.

    On a connection of its own: Asterisk has been seen to say more on it than one answer.
    """
    try:
        async with open_rest(settings) as rest:
            answer = await rest.get("events", headers=UPGRADE)
    except httpx.HTTPError as error:
        return fail("event socket", _words(error), SHOW_STATUS)
    if answer.status_code == NO_APPLICATION:
        return ok("event socket", "can be opened")
    return fail(
        "event socket",
        f"answers {answer.status_code}: res_ari_events or res_http_websocket is not loaded",
        "asterisk -rx 'module load res_ari_events.so'",
    )


def _applications(listed: Any, wanted: tuple[str, ...]) -> list[Finding]:
    names = {str(each.get("name")) for each in listed}
    missing = [name for name in wanted if name not in names]
    if missing:
        why = f"nobody serves {', '.join(missing)}: the service is not linked"
        return [fail("applications", why, "journalctl -u fastagi-server -g link_state")]
    return [ok("applications", f"{', '.join(wanted)} are served")]


async def _set_up(case: Case) -> Findings:
    if not case.settings.asterisk_ami_host:
        return
    try:
        general = await case.configured("ari.conf", "general")
        user = await case.configured("ari.conf", case.settings.asterisk_ari_username)
    except AmiError:
        return  # said in the group of the manager interface
    if general is None:
        yield warn("ari.conf", "cannot be read by the manager user", "add system to its `write`")
        return
    misplaced = [name for name in TLS_OPTIONS if name in general]
    if misplaced:
        why = f"{', '.join(misplaced)} belong in http.conf; in ari.conf they disable ARI"
        yield fail("ari.conf", why, "move them, then asterisk -rx 'module reload http'")
    if user is not None and user.get("read_only", "no").lower() in {"yes", "true", "on", "1"}:
        why = f"read_only = {user['read_only']} of the user: it can lead no call"
        yield fail("ari.conf", why, "set read_only = no, then asterisk -rx 'ari reload'")
    milliseconds = general.get("websocket_write_timeout", "100")
    if not milliseconds.isdigit() or int(milliseconds) < WRITE_MS:
        why = f"websocket_write_timeout is {milliseconds} ms: a short pause ends the event socket"
        yield warn("ari.conf", why, "set it to 5000, then asterisk -rx 'module reload res_ari.so'")
    elif not misplaced:
        yield ok("ari.conf", f"websocket_write_timeout is {milliseconds} ms, no misplaced TLS")


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


async def ping(settings: Settings) -> str:
    """Asterisk's time as ARI writes it. Raises `OSError`, `ValueError` or `httpx.HTTPError`."""
    async with asyncio.timeout(SECONDS), open_rest(settings) as rest:
        answer = await rest.get("asterisk/ping")
        answer.raise_for_status()
        return str(answer.json()["timestamp"])
