"""What this topic needs from the outside."""

from typing import Protocol

from fastagi_server.presence.frames import Frame


class Listener(Protocol):
    """One event socket."""

    def tell(self, frame: Frame) -> None:
        """Send a frame when there is room. Never waits, and does not raise."""
        ...
