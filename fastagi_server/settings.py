"""Every setting, from the environment, `.env`, systemd credentials and a TOML file.

The environment wins over `.env`, that over credentials, that over the file. Names are the same
everywhere: `SGE_API_URL` in the environment is `sge_api_url` in TOML and the name of a credential.
This is the only module that reads the environment.
"""

import ipaddress
import os
import socket
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fastagi_server.settings_access import AccessSettings

CONFIG_FILE_VARIABLE = "FASTAGI_CONFIG"
DEFAULT_CONFIG_FILE = Path("/etc/fastagi-server/config.toml")

Words = Annotated[tuple[str, ...], NoDecode]
"""A list written with commas in the environment and as an array in TOML."""


WATCHED_CREDENTIALS = ("sge_jwt_token", "sge_api_key")
"""Credentials that are used as files, so that a changed one is noticed."""


class SettingsError(ValueError):
    """The settings cannot be used; the text is one line per fault, naming the setting."""


def _default_state_dir() -> Path:
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "fastagi-server"


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


class Settings(AccessSettings, BaseSettings):
    """The program's configuration. Durations are seconds."""

    model_config = SettingsConfigDict(
        env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True
    )

    # -- SGE --
    sge_api_url: str = Field(
        "",
        description="Address of a remote SGE API, ending in /api/v1/voip or not; empty runs the"
        " embedded one in this process",
    )
    sge_jwt_token: SecretStr = Field(SecretStr(""), description="Bearer token for the SGE API")
    sge_jwt_token_file: Path | None = Field(
        None, description="File that holds the bearer token; read again when it changes"
    )
    sge_api_key: SecretStr = Field(
        SecretStr(""),
        description="API key for the SGE API, sent as X-API-Key; with the embedded API also the key"
        " that other programs use to reach it",
    )
    sge_api_key_file: Path | None = Field(
        None, description="File that holds the API key; read again when it changes"
    )
    sge_deadline_seconds: float = Field(
        2.0, gt=0, le=60, description="How long a caller waits for the SGE API, retries included"
    )
    sge_ca_file: Path | None = Field(
        None, description="CA certificates (PEM) that the SGE API's certificate is checked against"
    )

    # -- FastAGI --
    fastagi_listen: Words = Field(
        ("127.0.0.1:4573",), description="Addresses to listen on, host:port, IPv6 as [::1]:4573"
    )
    fastagi_workers: int = Field(
        1, ge=1, le=64, description="Processes that share the address (SO_REUSEPORT)"
    )
    fastagi_max_sessions: int = Field(
        10_000, ge=1, description="AGI sessions open at once in one process; more get `failure`"
    )
    fastagi_allow: Words = Field(
        (), description="Networks (CIDR) that may connect; empty allows every address"
    )
    fastagi_secret: SecretStr = Field(
        SecretStr(""),
        description="Shared secret of the challenge; the dialplan's globals hold it as"
        " SGE_AGI_SECRET",
    )
    fastagi_unprotected: bool = Field(
        False,
        description="Listen beyond loopback without FASTAGI_ALLOW or FASTAGI_SECRET",
    )
    fastagi_on_error: dict[str, str] = Field(
        default_factory=dict,
        description="What a route does when it fails, by route: continue, failure or"
        " goto:context,extension,priority",
    )
    fastagi_drain_seconds: float = Field(
        20.0, ge=0, description="How long open sessions may go on after SIGTERM"
    )
    fastagi_loop: Literal["auto", "uvloop", "asyncio"] = Field(
        "auto", description="Event loop; auto takes uvloop where it is installed"
    )
    fastagi_system_name: str = Field(
        default_factory=socket.gethostname,
        min_length=1,
        description="Name of the PBX when the dialplan passes no `system`; part of the"
        " idempotency key",
    )
    fastagi_technology: str = Field(
        "SIP",
        pattern=r"^[A-Za-z0-9]+$",
        description="Technology of the dial string registered for a dialled number",
    )

    # -- ARI --
    asterisk_ari_url: str = Field(
        "",
        description="Address of Asterisk's REST interface, ending in /ari or not; empty runs"
        " without one",
    )
    asterisk_ari_username: str = Field("sky-genesis", description="User of ari.conf")
    asterisk_ari_password: SecretStr = Field(
        SecretStr(""), description="Password of the user of ari.conf"
    )
    asterisk_ari_password_file: Path | None = Field(
        None, description="File that holds the password of the user of ari.conf"
    )
    asterisk_ari_app: str = Field(
        "sky-genesis-voip",
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Stasis application of calls; one name per node",
    )
    asterisk_ari_conference_app: str = Field(
        "sky-genesis-conference",
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Stasis application of rooms",
    )
    asterisk_ari_outbound_app: str = Field(
        "sky-genesis-outbound",
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Stasis application of calls that go out through a trunk",
    )
    asterisk_ari_timeout_seconds: float = Field(
        5.0, gt=0, le=60, description="How long an operation on Asterisk may take"
    )
    asterisk_ari_ca_file: Path | None = Field(
        None, description="CA certificates (PEM) that ARI's certificate is checked against"
    )
    asterisk_ari_listen: str = Field(
        "",
        description="Address, host:port, where Asterisk (22.5 and later) connects its persistent"
        " event socket, with the user and password above; empty connects to Asterisk instead",
    )

    # -- embedded API, state, logs --
    port: int = Field(8080, ge=0, le=65535, description="TCP port of the embedded SGE API")
    fastagi_api_host: str = Field("127.0.0.1", description="Address of the embedded SGE API")
    fastagi_database_url: str = Field(
        "",
        description="Database of the embedded API: sqlite:////path/to/file or"
        " postgresql://user:password@host/database; empty is SQLite in the state folder",
    )
    fastagi_state_dir: Path = Field(
        default_factory=_default_state_dir,
        description="Folder of the outbox and of the embedded API's database",
    )
    fastagi_outbox_max_entries: int = Field(
        100_000, ge=1, description="Registrations that may wait for the SGE API"
    )
    fastagi_outbox_max_age_seconds: float = Field(
        259_200.0, gt=0, description="Age at which an undelivered entry becomes a dead letter"
    )
    fastagi_log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="Least level of the lines logged; debug adds what is said to the SGE API",
    )
    fastagi_log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Form of log lines; auto is console on a terminal, json elsewhere"
    )

    # -- calls in Asterisk --
    sge_map_sip: bool = Field(
        True, description="Ring SIP/x as PJSIP/x: chan_sip left Asterisk in version 21"
    )
    sge_ring_seconds: int = Field(
        30, ge=1, le=600, description="How long a phone rings that does not answer"
    )
    sge_max_room_participants: int = Field(
        500, ge=1, le=500, description="The most participants that a room may be made for"
    )
    sge_max_rooms_per_user: int = Field(
        20, ge=0, description="Active rooms that one user may own; 0 for no limit"
    )
    sge_room_idle_hours: float = Field(
        24.0,
        gt=0,
        description="How long a room stays open in which nothing happens and no telephone is",
    )
    sge_room_retention_hours: float = Field(
        24.0, ge=0, description="How long a closed room can still be read"
    )
    sge_idle_ringing_seconds: float = Field(
        300.0,
        ge=0,
        description="Age at which an unanswered call that no channel has is ended; 0 for none",
    )
    sge_idle_call_seconds: float = Field(
        86_400.0,
        ge=0,
        description="Age at which an answered call that no channel has is ended; 0 for none",
    )
    sge_dial_strings: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Dial strings to ring for an extension, when it is not PJSIP/extension alone",
    )
    sge_trunk: str = Field(
        "",
        pattern=r"^([A-Za-z0-9]+/[A-Za-z0-9._-]+)?$",
        description="Trunk for calls to outside, such as PJSIP/sky-genesis-trunk; empty forbids"
        " them",
    )
    sge_outbound_contexts: Words = Field(
        ("sky-genesis-voip",),
        description="Dialplan contexts whose channels may call out; never that of a trunk",
    )
    sge_outbound_allow: Words = Field(
        (), description="Patterns of numbers that may be called outside, such as 0X."
    )
    sge_outbound_deny: Words = Field(
        (), description="Patterns of numbers that may not, though they are allowed"
    )

    fastagi_api_trusted_proxies: Words = Field(
        (),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed",
    )

    @field_validator(
        "fastagi_listen",
        "fastagi_allow",
        "fastagi_api_trusted_proxies",
        "sge_outbound_contexts",
        "sge_outbound_allow",
        "sge_outbound_deny",
        mode="before",
    )
    @classmethod
    def _split_words(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("fastagi_listen")
    @classmethod
    def _check_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            split_address(address)
        return value

    @field_validator("asterisk_ari_listen")
    @classmethod
    def _check_ari_listen(cls, value: str) -> str:
        if value:
            split_address(value)
        return value

    @field_validator("fastagi_allow", "fastagi_api_trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network)
        return value

    @model_validator(mode="after")
    def _check_credentials(self) -> "Settings":
        given = [
            name
            for name in ("sge_jwt_token", "sge_jwt_token_file", "sge_api_key", "sge_api_key_file")
            if _is_given(getattr(self, name))
        ]
        if len(given) > 1:
            raise ValueError(f"give one credential for SGE, not {', '.join(given).upper()}")
        return self

    @model_validator(mode="after")
    def _check_ari(self) -> "Settings":
        given = [_is_given(self.asterisk_ari_password), _is_given(self.asterisk_ari_password_file)]
        if all(given):
            raise ValueError("give ASTERISK_ARI_PASSWORD or ASTERISK_ARI_PASSWORD_FILE, not both")
        if self.asterisk_ari_url and not any(given):
            raise ValueError("ASTERISK_ARI_URL needs ASTERISK_ARI_PASSWORD or its file")
        if self.asterisk_ari_listen and not self.asterisk_ari_url:
            raise ValueError("ASTERISK_ARI_LISTEN needs ASTERISK_ARI_URL, for the operations")
        if len(set(self.ari_applications)) < len(self.ari_applications):
            raise ValueError("the three Stasis applications need three names")
        return self

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

    @property
    def embedded(self) -> bool:
        """Whether this process is its own SGE API."""
        return not self.sge_api_url

    @property
    def database_url(self) -> str:
        """The embedded API's database."""
        return self.fastagi_database_url or f"sqlite:///{self.fastagi_state_dir / 'sge.sqlite3'}"

    @property
    def listen_addresses(self) -> list[tuple[str, int]]:
        """`fastagi_listen` as host and port."""
        return [split_address(address) for address in self.fastagi_listen]

    @property
    def ari_applications(self) -> tuple[str, str, str]:
        """The Stasis applications of calls, of rooms and of calls that go out, in this order."""
        return (
            self.asterisk_ari_app,
            self.asterisk_ari_conference_app,
            self.asterisk_ari_outbound_app,
        )

    @property
    def ari_password(self) -> str:
        """The password for ARI, read from its file if one is named. Raises `SettingsError`."""
        if self.asterisk_ari_password_file is None:
            return self.asterisk_ari_password.get_secret_value()
        try:
            return self.asterisk_ari_password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"ASTERISK_ARI_PASSWORD_FILE: {error}") from None

    @property
    def credential(self) -> tuple[Literal["bearer", "api_key"], str | None, Path | None]:
        """Scheme, value and file of the one credential for SGE."""
        if self.sge_jwt_token_file or self.sge_jwt_token.get_secret_value():
            return "bearer", self.sge_jwt_token.get_secret_value() or None, self.sge_jwt_token_file
        return "api_key", self.sge_api_key.get_secret_value() or None, self.sge_api_key_file


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


def split_address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:4573` or `[::1]:4573`. Raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        raise ValueError(f"{text!r} is not host:port")
    if host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")):
        raise ValueError(f"{text!r}: an IPv6 address needs brackets, as in [::1]:4573")
    return host.strip("[]") or "0.0.0.0", int(port)


def _is_given(value: object) -> bool:
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)
