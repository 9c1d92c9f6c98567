"""What a client asks for when it creates a room or joins one, checked."""

import hashlib
import re
from dataclasses import dataclass

import orjson

from fastagi_server.calls.participants import check_participants, is_dial_string
from fastagi_server.identities.identity import is_name
from fastagi_server.rooms.errors import InvalidRoomError
from fastagi_server.rooms.models import RoomSettings

MAX_SEATS = 500
"""The most a room may ever be made for; one bridge mixes on one processor."""

MAX_NAME_LENGTH = 128
MAX_PASSWORD_LENGTH = 128
MAX_TIME_LIMIT_MINUTES = 7 * 24 * 60

_NUMBER = re.compile(r"[0-9]{3}")
_PASSWORD = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, slots=True)
class RoomOrder:
    """A room to be; making one checks every limit but the service's own on participants.

    `password` is in the clear, and `settings.password_hash` empty until the registry fills it.
    `number` is three digits, or None to be given one. Raises InvalidRoomError.
    """

    name: str
    max_participants: int
    settings: RoomSettings
    number: str | None = None
    password: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME_LENGTH or not self.name.isprintable():
            raise InvalidRoomError(f"name must have 1 to {MAX_NAME_LENGTH} printable characters")
        if not 1 <= self.max_participants <= MAX_SEATS:
            raise InvalidRoomError(f"max_participants must be 1 to {MAX_SEATS}")
        if self.number is not None and _NUMBER.fullmatch(self.number) is None:
            raise InvalidRoomError("number must have three digits")
        check_password(self.password)
        _check_settings(self.settings)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of what the order means: equal for equal orders however they were written.

        Of the password only whether there is one: a fast hash of it would be there to be guessed.
        """
        rules = self.settings
        meaning = (
            self.name,
            self.max_participants,
            self.number,
            bool(self.password),
            rules.allow_recording,
            rules.allow_screen_share,
            rules.require_moderator,
            rules.bridge_type,
            rules.moderator_id,
            rules.time_limit_minutes,
            rules.close_without_moderator,
        )
        return hashlib.sha256(orjson.dumps(meaning)).digest()


@dataclass(frozen=True, slots=True)
class JoinOrder:
    """How somebody wants to come in; making one checks it.

    `endpoint` is a dial string to ring, None for a user without a telephone. Raises
    InvalidRoomError and calls.errors.InvalidCallError.
    """

    password: str = ""
    endpoint: str | None = None
    shares_screen: bool = False

    def __post_init__(self) -> None:
        check_password(self.password)
        if self.endpoint is not None:
            check_participants([self.endpoint])
            if not is_dial_string(self.endpoint):
                raise InvalidRoomError("endpoint must be a dial string (TECHNOLOGY/resource)")


def check_password(password: str) -> None:
    """Raise InvalidRoomError unless this can be a password; the empty one stands for none."""
    if not password:
        return
    if len(password) > MAX_PASSWORD_LENGTH or _PASSWORD.fullmatch(password) is None:
        raise InvalidRoomError(
            f"password must have at most {MAX_PASSWORD_LENGTH} printable ASCII characters"
        )


def _check_settings(rules: RoomSettings) -> None:
    minutes = rules.time_limit_minutes
    if minutes is not None and not 1 <= minutes <= MAX_TIME_LIMIT_MINUTES:
        raise InvalidRoomError(f"time_limit_minutes must be 1 to {MAX_TIME_LIMIT_MINUTES}")
    if rules.moderator_id is not None and not is_name(rules.moderator_id):
        raise InvalidRoomError("moderator_id is no user id")
