"""Names that must resolve, and ports that the service must have: who has them instead."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from fastagi_server.doctor.case import SECONDS, Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.doctor.listeners import listeners_on
from fastagi_server.settings import Settings
from fastagi_server.testing.caller import call

SLOW_SECONDS = 1.0
START = "systemctl start fastagi-server"


async def look(case: Case) -> Findings:
    """Names first, then ports."""
    names = dict(_names(case.settings))
    for found in await asyncio.gather(*(_resolved(*pair) for pair in names.items())):
        yield found
    if not names:
        yield ok("DNS", "no name has to be looked up")
    for host, port in case.settings.listen_addresses:
        yield await _agi_port(case.settings, host, port)
    async for finding in _api_port(case.settings):
        yield finding


def _names(settings: Settings) -> list[tuple[str, str]]:
    """Hosts that are no addresses, with the setting that names them."""
    urls = {
        "SGE_API_URL": settings.sge_api_url,
        "SGE_JWKS_URL": settings.sge_jwks_url,
        "ASTERISK_ARI_URL": settings.asterisk_ari_url,
        "FASTAGI_DATABASE_URL": settings.fastagi_database_url,
        "SENTRY_DSN": settings.sentry_dsn.get_secret_value(),
        "OTEL_EXPORTER_OTLP_ENDPOINT": settings.otel_exporter_otlp_endpoint,
    }
    hosts = {name: urlsplit(url).hostname or "" for name, url in urls.items()}
    hosts["ASTERISK_AMI_HOST"] = settings.asterisk_ami_host
    return [(host, name) for name, host in hosts.items() if host and not _is_address(host)]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _resolved(host: str, setting: str) -> Finding:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        async with asyncio.timeout(SECONDS):
            found = await loop.getaddrinfo(host, None)
    except TimeoutError:
        return fail(
            host, f"no answer from DNS in {SECONDS:g} s ({setting})", f"getent hosts {host}"
        )
    except OSError as error:
        return fail(host, f"{error.strerror} ({setting})", f"getent hosts {host}")
    seconds = loop.time() - began
    address = found[0][4][0]
    if seconds > SLOW_SECONDS:
        return warn(host, f"is {address}, but DNS took {seconds:.1f} s", "resolvectl statistics")
    return ok(host, f"is {address} ({setting})")


async def _agi_port(settings: Settings, host: str, port: int) -> Finding:
    subject, fix = f"AGI {host}:{port}", f"ss -ltnp sport = {port}"
    if port == 0:
        return ok(subject, "the system chooses the port")
    holders = await asyncio.to_thread(listeners_on, port)
    if not holders:
        return fail(subject, "nobody listens: the service does not run", START)
    who, url = holders[0].words, _health_url(host, port)
    try:
        health = await _asked_for_health(url, settings.fastagi_secret.get_secret_value())
    except OSError as error:
        return fail(subject, f"taken by {who}, which lets nobody in: {error.strerror}", fix)
    word = health.get("SGE_HEALTH")
    if word is None:
        why = f"taken by {who}, which does not answer; or FASTAGI_ALLOW does not have us"
        return fail(subject, why, fix)
    if word != "ok":
        why = f"{who} answers: {word}, {health.get('SGE_HEALTH_REASON', '')}"
        return warn(subject, why, f"fastagi-server call {url}")
    return ok(subject, f"{who} answers")


def _health_url(host: str, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"agi://[{host}]:{port}/health" if ":" in host else f"agi://{host}:{port}/health"


async def _asked_for_health(url: str, secret: str) -> dict[str, str]:
    """The variables that the route `health` sets; none when it is not our server. OSError."""
    lines: list[str] = []
    await call(url, variables={"SGE_AGI_SECRET": secret}, timeout=SECONDS, write=lines.append)
    pairs = (line.partition("=") for line in lines if line.startswith("SGE_"))
    return {name: value for name, _, value in pairs}


async def _api_port(settings: Settings) -> AsyncIterator[Finding]:
    if not settings.embedded or settings.port == 0:
        return
    subject = f"HTTP {settings.fastagi_api_host}:{settings.port}"
    holders = await asyncio.to_thread(listeners_on, settings.port)
    if holders:
        yield ok(subject, f"{holders[0].words} listens")
    else:
        yield fail(subject, "nobody listens: the service does not run", START)
