"""The settings of the FastAGI server; a part of `settings.Settings`."""

import socket
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from fastagi_server.settings.forms import Addresses, Networks, split_address


class AgiSettings(BaseModel):
    """Where the dialplan asks, who may, and what happens on failure. Durations are seconds."""

    fastagi_listen: Addresses = Field(
        ("127.0.0.1:4573",), description="Addresses to listen on, host:port, IPv6 as [::1]:4573"
    )
    fastagi_workers: int = Field(
        1, ge=1, le=64, description="Processes that share the address (SO_REUSEPORT)"
    )
    fastagi_max_sessions: int = Field(
        10_000, ge=1, description="AGI sessions open at once in one process; more get `failure`"
    )
    fastagi_allow: Networks = Field(
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

    @property
    def listen_addresses(self) -> list[tuple[str, int]]:
        """`fastagi_listen` as host and port."""
        return [split_address(address) for address in self.fastagi_listen]
