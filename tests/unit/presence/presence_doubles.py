"""Doubles for tests of presence: a socket that remembers, and a clock that stands still."""

import json
from datetime import UTC, datetime
from typing import Any

from fastagi_server.presence.frames import Frame

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
"""1767268800 seconds since 1970."""


class Ear:
    """A listener that keeps what it was told."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def tell(self, frame: Frame) -> None:
        """Keep the frame's flat form."""
        self.frames.append(json.loads(frame.text()))

    def take(self) -> list[dict[str, Any]]:
        """What was told since the last time."""
        frames, self.frames = self.frames, []
        return frames


def noon() -> datetime:
    """The time of the tests."""
    return NOON
