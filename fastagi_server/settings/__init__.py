"""Every setting, from the environment, `.env`, systemd credentials and a TOML file.

The environment wins over `.env`, that over credentials, that over the file. Names are the same
everywhere: `SGE_API_URL` in the environment is `sge_api_url` in TOML and the name of a credential.
This is the only module that reads the environment.
"""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fastagi_server.settings.access import AccessSettings
from fastagi_server.settings.agi import AgiSettings
from fastagi_server.settings.api import ApiSettings
from fastagi_server.settings.asterisk import AsteriskSettings
from fastagi_server.settings.browser import BrowserSettings
from fastagi_server.settings.calls import CallSettings
from fastagi_server.settings.events import EventSettings
from fastagi_server.settings.forms import SettingsError, read_secret, split_address
from fastagi_server.settings.sge import SgeSettings
from fastagi_server.settings.sockets import SocketSettings
from fastagi_server.settings.telemetry import TelemetrySettings

__all__ = [
    "CONFIG_FILE_VARIABLE",
    "DEFAULT_CONFIG_FILE",
    "Settings",
    "SettingsError",
    "config_file",
    "load_settings",
    "split_address",
]

CONFIG_FILE_VARIABLE = "FASTAGI_CONFIG"
DEFAULT_CONFIG_FILE = Path("/etc/fastagi-server/config.toml")

WATCHED_CREDENTIALS = ("sge_jwt_token", "sge_api_key")
"""Credentials that are used as files, so that a changed one is noticed."""


class _Credentials(SecretsSettingsSource):
    """systemd's credentials in `folder`; the watched ones as files, so that changes are noticed."""

    def __init__(self, settings_cls: type[BaseSettings], folder: Path) -> None:
        super().__init__(settings_cls, folder)
        self._folder = folder

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        for name in WATCHED_CREDENTIALS:
            if values.pop(name, None) is not None:
                values[f"{name}_file"] = self._folder / name
        return values


class Settings(  # pyright: ignore[reportIncompatibleVariableOverride] - pydantic joins the configs
    TelemetrySettings,
    EventSettings,
    BrowserSettings,
    SocketSettings,
    AccessSettings,
    CallSettings,
    ApiSettings,
    AsteriskSettings,
    AgiSettings,
    SgeSettings,
    BaseSettings,
):
    """The program's configuration: one base class a topic. Durations are seconds."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    @property
    def secret_values(self) -> tuple[str, ...]:
        """Every secret in use, by value or in a file: what must never be seen in a line."""
        return tuple(dict.fromkeys(filter(None, _secrets_of(self))))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - `_Credentials` does it
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence; see the module."""
        sources = [init_settings, env_settings, dotenv_settings]
        credentials = os.environ.get("CREDENTIALS_DIRECTORY")
        if credentials and Path(credentials).is_dir():
            sources.append(_Credentials(settings_cls, Path(credentials)))
        path = config_file()
        try:
            sources.append(TomlConfigSettingsSource(settings_cls, path))
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{path}: {error}") from None
        return tuple(sources)


def _secrets_of(settings: Settings) -> Iterator[str]:
    yield from settings.webhook_secrets()
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, SecretStr):
            text = read_secret(value, getattr(settings, f"{name}_file", None), name.upper())
            yield text
            yield from (pair.partition("=")[2].strip() for pair in text.split(","))
            value = text
        if isinstance(value, str) and "://" in value:
            yield from _secrets_in_url(value)


def _secrets_in_url(url: str) -> Iterator[str]:
    """User and password: as written, and as meant; the user alone of a Sentry DSN is a key."""
    authority = url.partition("://")[2].partition("/")[0]
    user, colon, password = authority.rpartition("@")[0].partition(":")
    secret = password if colon else user
    yield secret
    yield unquote(secret)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings. Raises `SettingsError` with every fault in words."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, e['loc'])).upper() or 'settings'}: {e['msg']}"
            for e in error.errors()
        ]
        raise SettingsError("\n".join(faults)) from None
    except (OSError, ValueError) as error:
        raise SettingsError(str(error)) from None


def config_file() -> Path | None:
    """The TOML file in use, None when there is none. Raises `SettingsError` for a missing one."""
    named = os.environ.get(CONFIG_FILE_VARIABLE)
    if not named:
        return DEFAULT_CONFIG_FILE if DEFAULT_CONFIG_FILE.is_file() else None
    if not Path(named).is_file():
        raise SettingsError(f"{CONFIG_FILE_VARIABLE}: there is no file {named}")
    return Path(named)
