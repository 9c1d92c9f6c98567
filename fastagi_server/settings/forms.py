"""Forms that several settings share: lists of words, addresses, networks, secrets in files."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode


class SettingsError(ValueError):
    """The settings cannot be used; the text is one line per fault, naming the setting."""


def split_address(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:4573` or `[::1]:4573`. Raises `ValueError`."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        raise ValueError(f"{text!r} is not host:port")
    if host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")):
        raise ValueError(f"{text!r}: an IPv6 address needs brackets, as in [::1]:4573")
    return host.strip("[]") or "0.0.0.0", int(port)


def _split_words(value: object) -> object:
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value


def _check_networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        ipaddress.ip_network(text)
    return texts


def _check_addresses(texts: tuple[str, ...]) -> tuple[str, ...]:
    for text in texts:
        split_address(text)
    return texts


def _check_address(text: str) -> str:
    if text:
        split_address(text)
    return text


Address = Annotated[str, AfterValidator(_check_address)]
"""host:port, or empty."""

Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_words)]
"""A list written with commas in the environment and as an array in TOML."""

Addresses = Annotated[Words, AfterValidator(_check_addresses)]

Networks = Annotated[Words, AfterValidator(_check_networks)]


def is_given(value: object) -> bool:
    """Whether a setting, secret or not, has a value."""
    return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)


def check_one_of(value: SecretStr, file: Path | None, name: str) -> None:
    """Raise ValueError when a secret is given both as a value and as a file."""
    if file is not None and is_given(value):
        raise ValueError(f"give {name} or {name}_FILE, not both")


def read_secret(value: SecretStr, file: Path | None, name: str) -> str:
    """A secret, read from its file if one is named. Raises SettingsError."""
    if file is None:
        return value.get_secret_value()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}_FILE: {error}") from None
