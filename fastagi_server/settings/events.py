"""The settings of the event stream and of webhooks; a part of `settings.Settings`."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from fastagi_server.settings.forms import Words, check_one_of, read_secret

SINGLE = "default"
"""Name of the target that SGE_WEBHOOK_URL names."""

CALLS_AND_ROOMS = ("call.*", "room.*")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_TYPE = re.compile(r"\*|(call|room)\.(\*|[a-z_]+)")


def _check_url(url: str) -> str:
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError("the address of a webhook is http://host/path or https://host/path")
    return url


def _check_types(types: tuple[str, ...]) -> tuple[str, ...]:
    for each in types:
        if not _TYPE.fullmatch(each):
            raise ValueError(f"{each!r}: webhooks carry call.* and room.*, or one type of these")
    return types


WebhookUrl = Annotated[str, AfterValidator(_check_url)]
WebhookTypes = Annotated[Words, AfterValidator(_check_types)]


class WebhookSettings(BaseModel):
    """One target of the table `[sge_webhooks.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[WebhookUrl, Field(min_length=1)]
    types: WebhookTypes = CALLS_AND_ROOMS
    secret_file: Path | None = None
    ca_file: Path | None = None


class EventSettings(BaseModel):
    """Who is told of events."""

    sge_event_streams: int = Field(
        20, ge=1, le=1000, description="Readers that the event stream may have at a time"
    )
    sge_webhook_url: WebhookUrl = Field(
        "", description="Where events of calls and rooms are delivered to; empty for nowhere"
    )
    sge_webhook_secret: SecretStr = Field(
        SecretStr(""), description="Secret that deliveries to SGE_WEBHOOK_URL are signed with"
    )
    sge_webhook_secret_file: Path | None = Field(
        None, description="File that holds the secret for SGE_WEBHOOK_URL"
    )
    sge_webhook_types: WebhookTypes = Field(
        CALLS_AND_ROOMS, description="Types of events that SGE_WEBHOOK_URL is told of"
    )
    sge_webhook_ca_file: Path | None = Field(
        None, description="CA certificates (PEM) that webhooks' certificates are checked against"
    )
    sge_webhooks: dict[str, WebhookSettings] = Field(
        default_factory=dict,
        description="Further targets, each a table: url, types, secret_file, ca_file",
    )
    sge_webhook_timeout_seconds: float = Field(
        10.0, gt=0, le=60, description="How long a webhook may take to answer"
    )
    sge_webhook_max_age_seconds: float = Field(
        259_200.0, gt=0, description="Age at which an undelivered event becomes a dead letter"
    )

    @model_validator(mode="after")
    def _check_webhooks(self) -> Self:
        check_one_of(self.sge_webhook_secret, self.sge_webhook_secret_file, "SGE_WEBHOOK_SECRET")
        for name in self.sge_webhooks:
            if name == SINGLE or not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the name of a webhook")
        return self

    @property
    def webhooks(self) -> Mapping[str, WebhookSettings]:
        """All targets by name, whichever way they are written."""
        if not self.sge_webhook_url:
            return self.sge_webhooks
        single = WebhookSettings(
            url=self.sge_webhook_url,
            types=self.sge_webhook_types,
            secret_file=self.sge_webhook_secret_file,
            ca_file=self.sge_webhook_ca_file,
        )
        return {SINGLE: single, **self.sge_webhooks}

    def webhook_secret(self, name: str) -> str:
        """The secret of a target, empty for none. Raises SettingsError."""
        value = self.sge_webhook_secret if name == SINGLE else SecretStr("")
        return read_secret(value, self.webhooks[name].secret_file, f"webhook {name}: SECRET")

    def webhook_secrets(self) -> Iterator[str]:
        """The secrets of all targets. Raises SettingsError."""
        yield from map(self.webhook_secret, self.webhooks)
