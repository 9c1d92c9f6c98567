"""The settings of what the program says about itself; a part of `settings.Settings`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from fastagi_server.settings.forms import Address, split_address


def _check_collector(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise ValueError("the address of a collector begins with http:// or https://")
    return url


def _check_dsn(dsn: SecretStr) -> SecretStr:
    text = dsn.get_secret_value()
    scheme, _, rest = text.partition("://")
    key, at, place = rest.partition("@")
    project = place.rpartition("/")[2]
    if text and not (scheme in {"http", "https"} and key and at and project.isdigit()):
        raise ValueError("a DSN is https://KEY@HOST/PROJECT, with a number for the project")
    return dsn


class TelemetrySettings(BaseModel):
    """Log lines, and where else faults and figures go."""

    fastagi_log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="Least level of the lines logged; debug adds what is said to the SGE API",
    )
    fastagi_log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Form of log lines; auto is console on a terminal, json elsewhere"
    )
    fastagi_metrics_listen: Address = Field(
        "",
        description="Address, host:port, that serves the measures at /metrics to whoever can reach "
        "it; for a remote API, which leaves no other port, and for snmpd",
    )
    fastagi_log_file: Path | None = Field(
        None,
        description="File that log lines are appended to, such as /var/log/sge/api.log; standard "
        "error then gets only what the file does not take",
    )
    fastagi_log_personal_data: Literal["mask", "show"] = Field(
        "mask",
        description="Whether log lines show numbers and names; what goes to Sentry never does",
    )
    sentry_dsn: Annotated[SecretStr, AfterValidator(_check_dsn)] = Field(
        SecretStr(""), description="Sentry project that errors are reported to; empty for none"
    )
    sentry_environment: str = Field(
        "production", description="Environment that errors are reported for", min_length=1
    )
    sentry_sample_rate: float = Field(
        1.0, description="Share of the errors that are reported", ge=0.0, le=1.0
    )
    otel_exporter_otlp_endpoint: Annotated[str, AfterValidator(_check_collector)] = Field(
        "",
        description="Base address of the collector that traces are sent to, such as "
        "http://127.0.0.1:4318; empty for none. Needs the extra fastagi-server[tracing]",
    )
    otel_exporter_otlp_headers: SecretStr = Field(
        SecretStr(""),
        description="Headers for the collector as name=value, with commas between them",
    )
    fastagi_trace_ratio: float = Field(
        1.0, description="Share of the calls that are traced, each as a whole", ge=0.0, le=1.0
    )

    @property
    def metrics_address(self) -> tuple[str, int] | None:
        """Where the measures are served beside the embedded API, if anywhere."""
        return split_address(self.fastagi_metrics_listen) if self.fastagi_metrics_listen else None
