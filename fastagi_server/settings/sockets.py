"""The settings of event sockets; a part of `settings.Settings`.

The names are the published ones.
"""

from pydantic import BaseModel, Field


class SocketSettings(BaseModel):
    """How many event sockets there may be, and what each may do."""

    ws_max_connections: int = Field(
        10_000, ge=1, description="Event sockets (/ws/auth) that may be open at a time"
    )
    ws_message_timeout: float = Field(
        30.0, gt=0, description="Seconds after which a socket that takes nothing is cut"
    )
    ws_heartbeat_interval: float = Field(
        30.0,
        gt=0,
        description="Seconds between two pings; a socket that gave no sign of life by the next one"
        " is closed",
    )
    ws_max_message_size: int = Field(
        65_536, ge=1024, le=1024 * 1024, description="Bytes of a message from an event socket"
    )
