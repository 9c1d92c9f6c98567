"""The SGE API: our credential, whether it answers, lets us in, and how fast."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from fastagi_server.doctor.case import SECONDS, Case, tls_context
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.settings import Settings
from fastagi_server.sge.address import normalise_base_url
from fastagi_server.sge.errors import SgeError

SOON_MINUTES = 5
SOON_DAYS = 7
"""Before its end: whoever writes a token into a file renews it, which nobody does in a setting."""

RENEW = "write a new token to the file that SGE_JWT_TOKEN_FILE names; it is read at once"


async def look(case: Case) -> Findings:
    """The credential, then the API that the settings name, or the embedded one."""
    settings = case.settings
    scheme, value, path = settings.credential
    if scheme == "bearer":
        yield _credential(value, path, datetime.now(UTC))
    if settings.embedded:
        yield await _embedded(settings)
        return
    try:
        async for finding in _remote(settings):
            yield finding
    except (SgeError, OSError) as error:
        yield fail("SGE API", str(error), "fastagi-server check")


def _credential(value: str | None, path: Path | None, now: datetime) -> Finding:
    try:
        token = path.read_text(encoding="ascii").strip() if path is not None else value or ""
    except (OSError, UnicodeDecodeError):
        return fail("JWT", f"{path} cannot be read", f"ls -l {path}")
    return examine_token(token, is_renewed=path is not None, now=now)


def examine_token(token: str, *, is_renewed: bool, now: datetime) -> Finding:
    """Until when a token is good, by its own words: its signature is for the SGE API to check."""
    import jwt  # noqa: PLC0415 - takes cryptography along

    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
        ends, begins = _instant(claims, "exp"), _instant(claims, "nbf")
    except (jwt.InvalidTokenError, ValueError, OverflowError):
        return warn("JWT", "the bearer token is no JWT: its end cannot be seen", RENEW)
    if begins is not None and begins > now:
        return fail("JWT", f"is good only from {begins:%Y-%m-%d %H:%M:%S} UTC on", "timedatectl")
    if ends is None:
        return ok("JWT", "has no end")
    when = f"{ends:%Y-%m-%d %H:%M:%S} UTC"
    if ends <= now:
        return fail("JWT", f"has expired on {when}", RENEW)
    soon = timedelta(minutes=SOON_MINUTES) if is_renewed else timedelta(days=SOON_DAYS)
    if ends - now < soon:
        return warn("JWT", f"expires on {when}", RENEW)
    return ok("JWT", f"is good until {when}")


def _instant(claims: dict[str, Any], name: str) -> datetime | None:
    value = claims.get(name)
    return None if value is None else datetime.fromtimestamp(float(value), UTC)


async def ask(settings: Settings) -> tuple[httpx.Response, float]:
    """The head of an answer of the remote API, and the seconds that it took; no body is read.

    Raises `SgeError`, `OSError` and `httpx.HTTPError`.
    """
    base = normalise_base_url(settings.sge_api_url)
    verify: ssl.SSLContext | bool = False
    if base.scheme == "https":
        verify = tls_context(settings.sge_ca_file)
    loop = asyncio.get_running_loop()
    async with httpx.AsyncClient(verify=verify, timeout=SECONDS, trust_env=False) as client:
        began = loop.time()
        url, headers = f"{base}/calls?limit=1", _headers(settings)
        async with asyncio.timeout(SECONDS), client.stream("GET", url, headers=headers) as answer:
            return answer, loop.time() - began


def _headers(settings: Settings) -> dict[str, str]:
    scheme, value, path = settings.credential
    secret = path.read_text(encoding="ascii").strip() if path is not None else value or ""
    if not secret:
        return {}
    return {"Authorization": f"Bearer {secret}"} if scheme == "bearer" else {"X-API-Key": secret}


async def _remote(settings: Settings) -> Findings:
    host = normalise_base_url(settings.sge_api_url).host
    fix = f"curl -v {settings.sge_api_url}"
    try:
        answer, seconds = await ask(settings)
    except (httpx.TimeoutException, TimeoutError):
        yield fail("SGE API", f"{host} does not answer in {SECONDS:g} s", fix)
        return
    except httpx.HTTPError as error:
        yield fail("SGE API", f"{host}: {str(error) or type(error).__name__}", fix)
        return
    milliseconds = f"{seconds * 1000:.0f} ms"
    match answer.status_code:
        case 200 if seconds > settings.sge_deadline_seconds / 2:
            why = f"answers in {milliseconds}; callers wait {settings.sge_deadline_seconds:g} s"
            yield warn("SGE API", why, fix)
        case 200:
            yield ok("SGE API", f"{host} lets us in and answers in {milliseconds}")
        case 401 | 403 as status:
            yield fail("SGE API", f"{status}: {host} does not take our credential", RENEW)
        case 404:
            yield fail("SGE API", f"404: {host} has no SGE API at this path", "see SGE_API_URL")
        case status:
            yield fail("SGE API", f"{host} answers {status}", fix)


async def _embedded(settings: Settings) -> Finding:
    if settings.port == 0:
        return ok("SGE API", "embedded, on a port that the system chooses")
    scheme = "https" if settings.fastagi_api_tls_cert_file else "http"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(
        settings.fastagi_api_host, settings.fastagi_api_host
    )
    authority = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{authority}:{settings.port}/api/v1/voip/health/ready"
    try:
        # Whom the certificate names is for clients to check; here nothing is told to the peer.
        async with httpx.AsyncClient(verify=False, timeout=SECONDS, trust_env=False) as client:  # noqa: S501
            answer = await client.get(url)
    except httpx.HTTPError as error:
        why = f"embedded, does not answer: {str(error) or type(error).__name__}"
        return fail("SGE API", why, "systemctl status fastagi-server")
    if answer.is_success:
        return ok("SGE API", f"embedded, {answer.json().get('status')}")
    why = f"embedded, answers {answer.status_code}: {answer.text[:100]}"
    return fail("SGE API", why, "journalctl -u fastagi-server -g health_changed")
