"""`fastagi-server check`: the settings in words, and what would stop the server from starting."""

import os
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import cast

from pydantic import SecretStr

from fastagi_server.calls.outbound import pattern_of
from fastagi_server.fastagi.admission import Admission, UnprotectedBindError, is_loopback
from fastagi_server.fastagi.endings import OnError
from fastagi_server.fastagi.router import Router
from fastagi_server.routes import ROUTES
from fastagi_server.service import admission_of
from fastagi_server.settings import Settings, SettingsError, split_address
from fastagi_server.sge.address import normalise_base_url
from fastagi_server.sge.credentials import open_credentials
from fastagi_server.sge.errors import SgeError
from fastagi_server.telemetry.tracing import NEEDS_EXTRA, headers_of, is_tracing_installed

MASK = "********"

_PASSWORD = re.compile(r"(?<=://)[^/@\s]+(?=@)")
"""User and password in a URL."""


def describe_settings(settings: Settings) -> Iterator[str]:
    """One `NAME=value` line a setting; secrets are a mask, or empty when not set."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            value = MASK if value.get_secret_value() else ""
        elif isinstance(value, tuple):
            value = ",".join(cast("Sequence[str]", value))
        yield f"{name.upper()}={'' if value is None else _PASSWORD.sub(MASK, str(value))}"


WILDCARDS = frozenset({"0.0.0.0", "::"})


def find_faults(settings: Settings, *, bound: frozenset[str] = frozenset()) -> list[str]:
    """What would stop the server from starting, each in words with the setting to change.

    `bound` names what listens already, `agi` or `http`: their addresses are not tried.
    """
    return [
        *_address_faults(settings, admission_of(settings), bound),
        *_gateway_faults(settings),
        *_route_faults(settings),
        *_api_faults(settings),
        *_folder_faults(settings),
        *_access_faults(settings),
        *_outbound_faults(settings),
        *_webhook_faults(settings),
        *_browser_faults(settings),
        *_telemetry_faults(settings),
    ]


def find_doubts(settings: Settings) -> list[str]:
    """What does not stop the server, but is probably not meant."""
    return [
        *_credential_doubts(settings),
        *_exposure_doubts(settings),
        *_telemetry_doubts(settings),
    ]


def _credential_doubts(settings: Settings) -> Iterator[str]:
    _, value, path = settings.credential
    if not settings.embedded and value is None and path is None:
        yield "SGE_API_URL names a remote API, but there is no SGE_JWT_TOKEN or SGE_API_KEY"


def _exposure_doubts(settings: Settings) -> Iterator[str]:
    if not settings.embedded:
        return
    if settings.fastagi_api_tls_cert_file is None and not is_loopback(settings.fastagi_api_host):
        yield "FASTAGI_API_HOST is beyond loopback, but there is no FASTAGI_API_TLS_CERT_FILE"
    if settings.takes_tokens and not (settings.sge_jwt_audience and settings.sge_jwt_issuer):
        yield "tokens of any audience or issuer are good: set SGE_JWT_AUDIENCE and SGE_JWT_ISSUER"


def _outbound_faults(settings: Settings) -> Iterator[str]:
    for name in ("sge_outbound_allow", "sge_outbound_deny"):
        for text in getattr(settings, name):
            try:
                pattern_of(text)
            except ValueError as error:
                yield f"{name.upper()}: {error}"


def _address_faults(
    settings: Settings, admission: Admission, bound: frozenset[str]
) -> Iterator[str]:
    for host, port in () if "agi" in bound else settings.listen_addresses:
        try:
            admission.check_bind(host)
            _try_to_bind(host, port, shared=settings.fastagi_workers > 1)
        except UnprotectedBindError as error:
            yield f"FASTAGI_LISTEN: {error}"
        except OSError as error:
            yield f"FASTAGI_LISTEN: {host}:{port}: {_reason(error)}"
    if settings.embedded and "http" not in bound:
        try:
            _try_to_bind(settings.fastagi_api_host, settings.port, shared=False)
        except OSError as error:
            yield f"PORT: {settings.fastagi_api_host}:{settings.port}: {_reason(error)}"


def _gateway_faults(settings: Settings) -> Iterator[str]:
    if not settings.sge_gateway_listen:
        return
    host, port = split_address(settings.sge_gateway_listen)
    if host in WILDCARDS:
        yield "SGE_GATEWAY_LISTEN: Asterisk is told this address and must reach it: not a wildcard"
        return
    try:
        _try_to_bind(host, port, shared=False)
    except OSError as error:
        yield f"SGE_GATEWAY_LISTEN: {host}:{port}: {_reason(error)}"


def _reason(error: OSError) -> str:
    """Without the address, which Python puts behind the system's words."""
    return str(error.strerror or error).partition(" (while ")[0]


def _try_to_bind(host: str, port: int, *, shared: bool) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, reuse_port=shared):
        pass


def _route_faults(settings: Settings) -> Iterator[str]:
    try:
        policies = {
            path: OnError.from_text(text) for path, text in settings.fastagi_on_error.items()
        }
        Router(ROUTES, policies=policies)
    except ValueError as error:
        yield f"FASTAGI_ON_ERROR: {error}"


def _api_faults(settings: Settings) -> Iterator[str]:
    scheme, value, path = settings.credential
    try:
        if not settings.embedded:
            normalise_base_url(settings.sge_api_url)
        open_credentials(scheme, value=value, path=path)
    except SgeError as error:
        yield f"SGE: {error}"


def _access_faults(settings: Settings) -> Iterator[str]:
    if settings.embedded:
        from fastagi_server.access import find_access_faults  # noqa: PLC0415 - not for the AGI role

        yield from find_access_faults(settings)


def _webhook_faults(settings: Settings) -> Iterator[str]:
    for name, webhook in settings.webhooks.items():
        try:
            settings.webhook_secret(name)
            if webhook.ca_file is not None:
                ssl.create_default_context(cafile=str(webhook.ca_file))
        except (OSError, ValueError) as error:
            yield f"SGE_WEBHOOKS: {name}: {error}"


def _browser_faults(settings: Settings) -> Iterator[str]:
    for secret in ("turn_secret", "gateway_token"):
        try:
            getattr(settings, secret)
        except SettingsError as error:
            yield str(error)


def _telemetry_faults(settings: Settings) -> Iterator[str]:
    if settings.otel_exporter_otlp_endpoint and not is_tracing_installed():
        yield f"OTEL_EXPORTER_OTLP_ENDPOINT: {NEEDS_EXTRA}"
    try:
        headers_of(settings.otel_exporter_otlp_headers.get_secret_value())
    except ValueError as error:
        yield f"OTEL_EXPORTER_OTLP_HEADERS: {error}"


def _telemetry_doubts(settings: Settings) -> Iterator[str]:
    """A log file that cannot be written stops no call: its lines go to standard error."""
    path = settings.fastagi_log_file
    if path is None:
        return
    if path.is_dir() or not path.parent.is_dir():
        yield f"FASTAGI_LOG_FILE: {path} is a folder, or in none"
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        yield f"FASTAGI_LOG_FILE: {path} is not writable"


def _folder_faults(settings: Settings) -> Iterator[str]:
    folder = settings.fastagi_state_dir
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        yield f"FASTAGI_STATE_DIR: {folder} is not a folder"
    elif not os.access(folder, os.W_OK):
        yield f"FASTAGI_STATE_DIR: {folder} is not writable"
