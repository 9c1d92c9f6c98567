"""The settings of Asterisk's interfaces; a part of `settings.Settings`."""

from pathlib import Path
from typing import Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from fastagi_server.settings.forms import Address, check_one_of, is_given, read_secret


class AsteriskSettings(BaseModel):
    """How Asterisk is reached and led. Durations are seconds."""

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
    asterisk_ari_listen: Address = Field(
        "",
        description="Address, host:port, where Asterisk (22.5 and later) connects its persistent"
        " event socket, with the user and password above; empty connects to Asterisk instead",
    )

    asterisk_ami_host: str = Field(
        "", description="Host of Asterisk's manager interface; empty supervises nothing"
    )
    asterisk_ami_port: int = Field(
        5038, ge=1, le=65535, description="Port of Asterisk's manager interface"
    )
    asterisk_ami_username: str = Field(
        "sky-genesis", pattern=r"^[^\r\n]+$", description="User of manager.conf"
    )
    asterisk_ami_secret: SecretStr = Field(
        SecretStr(""), description="Secret of the user of manager.conf"
    )
    asterisk_ami_secret_file: Path | None = Field(
        None, description="File that holds the secret of the user of manager.conf"
    )
    asterisk_ami_tls: bool = Field(
        False, description="Speak TLS with the manager interface (`tlsenable` in manager.conf)"
    )
    asterisk_ami_ca_file: Path | None = Field(
        None, description="CA certificates (PEM) that the manager's certificate is checked against"
    )

    @model_validator(mode="after")
    def _check_ami(self) -> Self:
        secret, file = self.asterisk_ami_secret, self.asterisk_ami_secret_file
        check_one_of(secret, file, "ASTERISK_AMI_SECRET")
        if self.asterisk_ami_host and file is None and not is_given(secret):
            raise ValueError("ASTERISK_AMI_HOST needs ASTERISK_AMI_SECRET or its file")
        if self.asterisk_ami_ca_file is not None and not self.asterisk_ami_tls:
            raise ValueError("ASTERISK_AMI_CA_FILE needs ASTERISK_AMI_TLS")
        return self

    @model_validator(mode="after")
    def _check_ari(self) -> Self:
        password, file = self.asterisk_ari_password, self.asterisk_ari_password_file
        check_one_of(password, file, "ASTERISK_ARI_PASSWORD")
        if self.asterisk_ari_url and file is None and not is_given(password):
            raise ValueError("ASTERISK_ARI_URL needs ASTERISK_ARI_PASSWORD or its file")
        if self.asterisk_ari_listen and not self.asterisk_ari_url:
            raise ValueError("ASTERISK_ARI_LISTEN needs ASTERISK_ARI_URL, for the operations")
        if len(set(self.ari_applications)) < len(self.ari_applications):
            raise ValueError("the three Stasis applications need three names")
        return self

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
        return read_secret(
            self.asterisk_ari_password, self.asterisk_ari_password_file, "ASTERISK_ARI_PASSWORD"
        )

    @property
    def ami_secret(self) -> str:
        """The secret for AMI, read from its file if one is named. Raises `SettingsError`."""
        return read_secret(
            self.asterisk_ami_secret, self.asterisk_ami_secret_file, "ASTERISK_AMI_SECRET"
        )
