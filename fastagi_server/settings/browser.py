"""The settings of calls from browsers; a part of `settings.Settings`."""

import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator

from fastagi_server.settings.forms import Address, Words, check_one_of, is_given, read_secret

_STUN = re.compile(r"stuns?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_TURN = re.compile(
    r"turns?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?(\?transport=(udp|tcp))?"
)


def _check_stun(urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in urls:
        if _STUN.fullmatch(url) is None:
            raise ValueError(f"{url!r} is not stun:host:port or stuns:host:port")
    return urls


def _check_turn(urls: tuple[str, ...]) -> tuple[str, ...]:
    for url in urls:
        if _TURN.fullmatch(url) is None:
            raise ValueError(
                f"{url!r} is not turn:host:port or turns:host:port, with ?transport=tcp or =udp"
                " behind it or not"
            )
    return urls


StunUrls = Annotated[Words, AfterValidator(_check_stun)]
TurnUrls = Annotated[Words, AfterValidator(_check_turn)]


class BrowserSettings(BaseModel):
    """How browsers reach Asterisk, and its media. Units are in the names."""

    sge_gateway_listen: Address = Field(
        "",
        description="Address, host:port, where Asterisk reaches the gateway by SIP over TCP: the"
        " contact of the address of record SGE_GATEWAY_ENDPOINT; empty for no calls from browsers",
    )
    sge_gateway_sip: Address = Field(
        "127.0.0.1:5060", description="Address, host:port, of Asterisk's SIP over TCP"
    )
    sge_gateway_token: SecretStr = Field(
        SecretStr(""),
        description="Secret by which Asterisk knows the gateway (match_header in pjsip.conf)",
    )
    sge_gateway_token_file: Path | None = Field(None, description="File that holds that secret")
    sge_gateway_endpoint: str = Field(
        "sge-gateway",
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="PJSIP endpoint of the gateway; PJSIP/<user>@<endpoint> rings a user's pages",
    )
    sge_stun_urls: StunUrls = Field(
        (), description="STUN servers that browsers are told of, as in stun:stun.example.com:3478"
    )
    sge_turn_urls: TurnUrls = Field(
        (),
        description="TURN servers that browsers are told of, as in turn:turn.example.com:3478 or"
        " turns:turn.example.com:5349?transport=tcp; they need SGE_TURN_SECRET",
    )
    sge_turn_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret that these TURN servers share with us (coturn's static-auth-secret)",
    )
    sge_turn_secret_file: Path | None = Field(None, description="File that holds that secret")
    sge_turn_seconds: int = Field(
        3600,
        ge=60,
        le=86_400,
        description="How long a browser may begin calls with its TURN credentials; calls under way"
        " outlive them",
    )

    @property
    def gateway_token(self) -> str:
        """The gateway's secret. Raises SettingsError for its file."""
        return read_secret(self.sge_gateway_token, self.sge_gateway_token_file, "SGE_GATEWAY_TOKEN")

    @model_validator(mode="after")
    def _check_gateway(self) -> Self:
        check_one_of(self.sge_gateway_token, self.sge_gateway_token_file, "SGE_GATEWAY_TOKEN")
        has_token = is_given(self.sge_gateway_token) or self.sge_gateway_token_file is not None
        if self.sge_gateway_listen and not has_token:
            raise ValueError("SGE_GATEWAY_LISTEN needs SGE_GATEWAY_TOKEN or SGE_GATEWAY_TOKEN_FILE")
        return self

    @property
    def turn_secret(self) -> str:
        """The secret shared with the TURN servers. Raises SettingsError for its file."""
        return read_secret(self.sge_turn_secret, self.sge_turn_secret_file, "SGE_TURN_SECRET")

    @model_validator(mode="after")
    def _check_turn_servers(self) -> Self:
        check_one_of(self.sge_turn_secret, self.sge_turn_secret_file, "SGE_TURN_SECRET")
        has_secret = is_given(self.sge_turn_secret) or self.sge_turn_secret_file is not None
        if self.sge_turn_urls and not has_secret:
            raise ValueError("SGE_TURN_URLS needs SGE_TURN_SECRET or SGE_TURN_SECRET_FILE")
        return self
