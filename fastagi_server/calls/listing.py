"""Which calls a list holds, and where its next page begins.

A list is in the order of creation, newest first. Its pages are told apart by the last call of
the one before, not by a count, so that no call is shown twice or left out because others begin or
end meanwhile.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastagi_server.calls.errors import InvalidCursorError
from fastagi_server.calls.models import Call, CallStatus, CallType

MAX_CURSOR_LENGTH = 128

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CallQuery:
    """The calls for which all of this holds; None and an empty set ask for nothing.

    `party` is the caller, a participant as the client wrote him, or an alias that was recorded
    with the call; `caller` created it. `since` is the first moment of creation that counts and
    `until` the first that does not count any more; both are aware.
    """

    is_active: bool | None = None
    statuses: frozenset[CallStatus] = frozenset()
    party: str | None = None
    caller: str | None = None
    call_type: CallType | None = None
    room_id: str | None = None
    hangup_cause: int | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place behind a call in any list of calls."""

    start_time: datetime
    call_id: str

    @classmethod
    def behind(cls, call: Call) -> "Cursor":
        """The place behind this call."""
        return cls(call.start_time, call.id)

    @classmethod
    def from_text(cls, text: str) -> "Cursor":
        """Read what `str` made. Raises InvalidCursorError."""
        if len(text) > MAX_CURSOR_LENGTH:
            raise InvalidCursorError
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            moment, colon, call_id = urlsafe_b64decode(padded).decode("ascii").partition(":")
            if not colon or not call_id.isprintable():
                raise InvalidCursorError
            return cls(_EPOCH + int(moment) * _MICROSECOND, call_id)
        except (ValueError, OverflowError, binascii.Error):
            raise InvalidCursorError from None

    def __str__(self) -> str:
        """Text that is opaque to clients and needs no escaping in a URL."""
        moment = (self.start_time - _EPOCH) // _MICROSECOND
        return urlsafe_b64encode(f"{moment}:{self.call_id}".encode()).rstrip(b"=").decode()
