"""The settings of the embedded API and of what is kept on disk; a part of `settings.Settings`."""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field

from fastagi_server.settings.forms import Networks


def _default_state_dir() -> Path:
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "fastagi-server"


class ApiSettings(BaseModel):
    """Where the embedded API listens, and where calls and registrations are kept."""

    port: int = Field(8080, ge=0, le=65535, description="TCP port of the embedded SGE API")
    fastagi_api_host: str = Field("127.0.0.1", description="Address of the embedded SGE API")
    fastagi_api_trusted_proxies: Networks = Field(
        (),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed",
    )
    fastagi_database_url: str = Field(
        "",
        description="Database of the embedded API: sqlite:////path/to/file or"
        " postgresql://user:password@host/database; empty is SQLite in the state folder",
    )
    fastagi_database_connections: int = Field(
        8,
        ge=1,
        le=100,
        description="Connections of each process to PostgreSQL for requests; searches have two"
        " more",
    )
    fastagi_state_dir: Path = Field(
        default_factory=_default_state_dir,
        description="Folder of the outbox and of the embedded API's database",
    )
    fastagi_wallboard_personal_data: Literal["mask", "show"] = Field(
        "show",
        description="Whether the wallboard shows the numbers and names of callers, or masks them"
        " as log lines do",
    )
    fastagi_outbox_max_entries: int = Field(
        100_000, ge=1, description="Registrations that may wait for the SGE API"
    )
    fastagi_outbox_max_age_seconds: float = Field(
        259_200.0, gt=0, description="Age at which an undelivered entry becomes a dead letter"
    )

    @property
    def database_url(self) -> str:
        """The embedded API's database."""
        return self.fastagi_database_url or f"sqlite:///{self.fastagi_state_dir / 'sge.sqlite3'}"
