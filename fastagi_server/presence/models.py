"""Values: the states that somebody may be in, and one person's presence at a moment."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MAX_STATUS_MESSAGE = 256
MAX_DEVICE = 256
"""Characters that somebody may say of his state, and of the device that he uses."""

ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
"""Both are one line of text."""


class Status(StrEnum):
    """The states. Read in any case and with or without underscores: `DoNotDisturb` is one."""

    ONLINE = "online"
    AWAY = "away"
    BUSY = "busy"
    OFFLINE = "offline"
    DO_NOT_DISTURB = "do_not_disturb"

    @classmethod
    def _missing_(cls, value: object) -> "Status | None":
        if not isinstance(value, str):
            return None
        word = value.lower().replace("_", "")
        return next((each for each in cls if each.value.replace("_", "") == word), None)


def read_status(value: object) -> Status:
    """The state that this word names. Raises ValueError with the words that there are."""
    if isinstance(value, str):
        try:
            return Status(value)
        except ValueError:
            pass
    raise ValueError(f"must be one of {', '.join(Status)}")


@dataclass(frozen=True, slots=True)
class Presence:
    """How others see `user` since `changed_at`, which is aware and in UTC.

    `message` and `device` are what he said of himself with the state, None for nothing.
    """

    user: str
    status: Status
    changed_at: datetime
    message: str | None = None
    device: str | None = None


class TooManySocketsError(Exception):
    """The user has as many event sockets as one user may have."""
