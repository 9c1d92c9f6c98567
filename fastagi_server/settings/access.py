"""The settings that say who may do what with the embedded API; a part of `settings.Settings`."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from fastagi_server.settings.forms import check_one_of


class AccessSettings(BaseModel):
    """Who is let in, to what and how often. Names and sources are those of `Settings`."""

    sge_jwt_secret: SecretStr = Field(
        SecretStr(""), description="Secret that tokens for the embedded API are signed with (HS256)"
    )
    sge_jwt_secret_file: Path | None = Field(
        None, description="File that holds that secret; read again when it changes"
    )
    sge_jwt_public_key_file: Path | None = Field(
        None,
        description="Public key or certificate (PEM) that tokens are checked with (RS256, ES256,"
        " EdDSA); read again when it changes",
    )
    sge_jwks_file: Path | None = Field(
        None, description="Key set (JWKS) that tokens are checked with; read again when it changes"
    )
    sge_jwks_url: str = Field(
        "", description="Address of the issuer's key set (https), fetched every five minutes"
    )
    sge_jwt_audience: str = Field("", description="Audience that a token must name; empty is any")
    sge_jwt_issuer: str = Field("", description="Issuer that a token must name; empty is any")
    sge_operators_file: Path | None = Field(
        None,
        description="Operators who may look at asterisk/* with name and password, one line each"
        " from `fastagi-server operators hash`; read again when it changes",
    )
    sge_extensions: dict[str, str] = Field(
        default_factory=dict,
        description="Whose an extension or a device is: user ids by extension or dial string",
    )
    sge_rate_limit_per_minute: int = Field(
        100, ge=0, description="Requests of one user a minute; 0 for no limit"
    )
    sge_failures_per_minute: int = Field(
        20, ge=0, description="Wrong credentials from one address a minute; 0 for no limit"
    )
    sge_account_failures_per_minute: int = Field(
        10,
        ge=0,
        description="Wrong passwords for one operator's account a minute, from wherever they come;"
        " 0 for no limit",
    )
    sge_max_calls_per_user: int = Field(
        10, ge=0, description="Calls of one user that may be active at once; 0 for no limit"
    )
    sge_audit_days: int = Field(
        365, ge=1, le=36_500, description="How long audit records are kept in the database"
    )
    fastagi_api_tls_cert_file: Path | None = Field(
        None,
        description="Certificate chain (PEM) of the embedded API, which then speaks HTTPS;"
        " read again when it changes",
    )
    fastagi_api_tls_key_file: Path | None = Field(
        None, description="Private key (PEM) of that certificate"
    )
    fastagi_api_tls_client_ca_file: Path | None = Field(
        None, description="CA certificates (PEM) that clients' certificates are checked against"
    )
    fastagi_api_tls_client_auth: Literal["none", "optional", "required"] = Field(
        "none", description="Whether clients show a certificate"
    )
    fastagi_api_tls_client_crl_file: Path | None = Field(
        None,
        description="Revocation lists (PEM), one of each authority that signs clients'"
        " certificates; read again when it changes",
    )
    fastagi_api_certificates: dict[str, str] = Field(
        default_factory=dict,
        description="Whom a client certificate stands for: identity and scopes by `cn:`, `dns:`,"
        " `uri:` or `email:` and the name in it",
    )

    @model_validator(mode="after")
    def _check_trust(self) -> Self:
        check_one_of(self.sge_jwt_secret, self.sge_jwt_secret_file, "SGE_JWT_SECRET")
        if (self.fastagi_api_tls_cert_file is None) != (self.fastagi_api_tls_key_file is None):
            raise ValueError("FASTAGI_API_TLS_CERT_FILE and FASTAGI_API_TLS_KEY_FILE go together")
        if self.fastagi_api_tls_client_auth != "none" and not (
            self.fastagi_api_tls_cert_file and self.fastagi_api_tls_client_ca_file
        ):
            raise ValueError(
                "FASTAGI_API_TLS_CLIENT_AUTH needs FASTAGI_API_TLS_CERT_FILE and"
                " FASTAGI_API_TLS_CLIENT_CA_FILE"
            )
        if self.fastagi_api_tls_client_crl_file and self.fastagi_api_tls_client_auth == "none":
            raise ValueError(
                "FASTAGI_API_TLS_CLIENT_CRL_FILE needs FASTAGI_API_TLS_CLIENT_AUTH to be optional"
                " or required"
            )
        return self

    @property
    def takes_tokens(self) -> bool:
        """Whether there is any key that a token for the embedded API could be signed with."""
        return bool(
            self.sge_jwt_secret.get_secret_value()
            or self.sge_jwt_secret_file
            or self.sge_jwt_public_key_file
            or self.sge_jwks_file
            or self.sge_jwks_url
        )
