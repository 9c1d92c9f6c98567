"""The settings of what the program says about itself; a part of `settings.Settings`."""

from typing import Literal

from pydantic import BaseModel, Field


class TelemetrySettings(BaseModel):
    """Log lines, and where else faults and figures go."""

    fastagi_log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info",
        description="Least level of the lines logged; debug adds what is said to the SGE API",
    )
    fastagi_log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="Form of log lines; auto is console on a terminal, json elsewhere"
    )
