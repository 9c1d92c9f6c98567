"""The settings of the connection to the SGE API; a part of `settings.Settings`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from fastagi_server.settings.forms import is_given


class SgeSettings(BaseModel):
    """Where the SGE API is and how we prove who we are. Durations are seconds."""

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

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        given = [
            name
            for name in ("sge_jwt_token", "sge_jwt_token_file", "sge_api_key", "sge_api_key_file")
            if is_given(getattr(self, name))
        ]
        if len(given) > 1:
            raise ValueError(f"give one credential for SGE, not {', '.join(given).upper()}")
        return self

    @property
    def embedded(self) -> bool:
        """Whether this process is its own SGE API."""
        return not self.sge_api_url

    @property
    def credential(self) -> tuple[Literal["bearer", "api_key"], str | None, Path | None]:
        """Scheme, value and file of the one credential for SGE."""
        if self.sge_jwt_token_file or self.sge_jwt_token.get_secret_value():
            return "bearer", self.sge_jwt_token.get_secret_value() or None, self.sge_jwt_token_file
        return "api_key", self.sge_api_key.get_secret_value() or None, self.sge_api_key_file
