"""Every setting, from the environment, `.env`, systemd credentials and a TOML file.

The environment wins over `.env`, that over credentials, that over the file. Names are the same
everywhere: `SGE_API_URL` in the environment is `sge_api_url` in TOML and the name of a credential.
This is the only module that reads the environment.
"""

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError
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
from fastagi_server.settings.calls import CallSettings
from fastagi_server.settings.forms import SettingsError, split_address
from fastagi_server.settings.sge import SgeSettings
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


class Settings(
    TelemetrySettings,
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
