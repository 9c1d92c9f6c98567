"""Certificates, ours and those of whom we talk to, and until when they are good."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastagi_server.ami.errors import AmiError
from fastagi_server.doctor.case import SECONDS, Case
from fastagi_server.doctor.findings import Finding, Findings, fail, ok, warn
from fastagi_server.settings import Settings, SettingsError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

SOON_DAYS = 21
HTTPS_PORT = 443
TRUE = {"yes", "true", "on", "1", "y", "t"}

FILES = (
    "fastagi_api_tls_cert_file",
    "fastagi_api_tls_client_ca_file",
    "fastagi_api_tls_client_crl_file",
    "asterisk_ari_ca_file",
    "asterisk_ami_ca_file",
    "sge_ca_file",
)


async def look(case: Case) -> Findings:
    """Files first, then what the peers show."""
    count = 0
    for name in FILES:
        path = getattr(case.settings, name)
        if path is not None:
            count += 1
            yield _file(name.upper(), path)
    peers = [peer async for peer in _peers(case)]
    for finding in await asyncio.gather(*(_peer(*peer) for peer in peers)):
        yield finding
    if not count and not peers:
        yield ok("certificates", "none are used")


def _file(name: str, path: Path) -> Finding:
    from cryptography import x509  # noqa: PLC0415 - few need it

    try:
        content = path.read_bytes()
        if b"X509 CRL" in content:
            due = x509.load_pem_x509_crl(content).next_update_utc
            return ok(name, "has no end") if due is None else _judged(name, due, f"see {path}")
        return _soonest(name, x509.load_pem_x509_certificates(content), f"see {path}")
    except (OSError, ValueError) as error:
        return fail(name, f"{path} cannot be read: {error}", f"openssl x509 -in {path} -text")


def _soonest(name: str, certificates: "list[Certificate]", fix: str) -> Finding:
    now = datetime.now(UTC)
    late = next((c for c in certificates if c.not_valid_before_utc > now), None)
    if late is not None:
        begins = late.not_valid_before_utc
        return fail(name, f"is good only from {begins:%Y-%m-%d} on", "timedatectl")
    return _judged(name, min(c.not_valid_after_utc for c in certificates), fix)


def _judged(name: str, ends: datetime, fix: str) -> Finding:
    left = ends - datetime.now(UTC)
    if left <= timedelta(0):
        return fail(name, f"has expired on {ends:%Y-%m-%d}", f"renew it; {fix}")
    if left < timedelta(days=SOON_DAYS):
        return warn(name, f"expires in {left.days} days, on {ends:%Y-%m-%d}", f"renew it; {fix}")
    return ok(name, f"is good until {ends:%Y-%m-%d}")


async def _peers(case: Case) -> AsyncIterator[tuple[str, str, int]]:
    settings = case.settings
    for name, url in (("SGE API", settings.sge_api_url), ("ARI", settings.asterisk_ari_url)):
        parts = urlsplit(url)
        if parts.scheme == "https" and parts.hostname:
            yield name, parts.hostname, parts.port or HTTPS_PORT
    if settings.asterisk_ami_host and settings.asterisk_ami_tls:
        yield "AMI", settings.asterisk_ami_host, settings.asterisk_ami_port
    for host, port in await _browsers(case):
        yield "http.conf", host, port


async def _browsers(case: Case) -> list[tuple[str, int]]:
    """Where Asterisk speaks TLS with browsers, by http.conf."""
    settings = case.settings
    if not settings.asterisk_ami_host:
        return []
    try:
        general = await case.configured("http.conf", "general")
    except (AmiError, SettingsError, OSError):
        return []  # said in the group of the manager interface
    if general is None or general.get("tlsenable", "no").lower() not in TRUE:
        return []
    return list(_bound(general.get("tlsbindaddr", ""), settings))


def _bound(address: str, settings: Settings) -> Iterator[tuple[str, int]]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if port.isdigit():
        everywhere = host in {"", "0.0.0.0", "::"}
        yield settings.asterisk_ami_host if everywhere else host, int(port)


async def _peer(name: str, host: str, port: int) -> Finding:
    from cryptography import x509  # noqa: PLC0415 - few need it

    subject = f"{name} {host}:{port}"
    fix = f"openssl s_client -connect {host}:{port}"
    try:
        async with asyncio.timeout(SECONDS):
            shown = await _shown(host, port)
        return _soonest(subject, [x509.load_der_x509_certificate(shown)], fix)
    except TimeoutError:
        return fail(subject, f"shows no certificate in {SECONDS:g} s", fix)
    except (OSError, ValueError) as error:
        return fail(subject, f"shows no certificate: {error}", fix)


async def _shown(host: str, port: int) -> bytes:
    """A peer's certificate, whoever signed it: whether we trust it is seen elsewhere."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return connection.getpeercert(binary_form=True) or b""
    finally:
        writer.transport.abort()
