"""Session timers (RFC 4028): a call of which one end is dead without a word ends by itself."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from fastagi_server.sip.addresses import Parameters
from fastagi_server.sip.errors import SipSyntaxError
from fastagi_server.sip.headers import Field
from fastagi_server.sip.messages import Request, Response
from fastagi_server.sip.quoting import split
from fastagi_server.sip.replies import lists

LONGEST_SECONDS = 86_400
"""Of an interval: more than a day is no protection, and no number of a friend's."""

_MARGIN_SECONDS = 32.0


@dataclass(frozen=True, slots=True)
class Terms:
    """What we ask for and the least that we accept, in seconds."""

    interval: int = 1800
    shortest: int = 90

    def raised(self, response: Response) -> Self | None:
        """Terms that satisfy a 422; None when it names no interval, or one we offer already."""
        wanted = _seconds(response.headers.get("Min-SE"))
        if wanted is None or wanted <= self.interval:
            return None
        return type(self)(wanted, max(wanted, self.shortest))

    def fields(self) -> tuple[Field, ...]:
        """The fields of an INVITE; who refreshes is left to the far end."""
        return (("Session-Expires", str(self.interval)), ("Min-SE", str(self.shortest)))


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """What was agreed: the session is refreshed by one side, or is over after `interval` s."""

    interval: int
    we_refresh: bool

    @property
    def refresh_seconds(self) -> float:
        """After which of silence we refresh."""
        return self.interval / 2

    @property
    def expire_seconds(self) -> float:
        """After which the one who waits for a refresh ends the call (RFC 4028, 10)."""
        return self.interval - min(_MARGIN_SECONDS, self.interval / 3)

    def fields(self) -> tuple[Field, ...]:
        """The fields of a refresh of ours, which keep the roles as they are."""
        refresher = "uac" if self.we_refresh else "uas"
        return (("Session-Expires", f"{self.interval};refresher={refresher}"),)

    def snapshot(self) -> dict[str, Any]:
        """A JSON object for `restore`."""
        return asdict(self)

    @classmethod
    def restore(cls, saved: Mapping[str, Any] | None) -> Self | None:
        """The timer of a snapshot."""
        return None if saved is None else cls(int(saved["interval"]), bool(saved["we_refresh"]))


def granted(response: Response) -> SessionTimer | None:
    """What the far end granted to a request of ours; None for a session without an end."""
    interval, refresher = _asked(response)
    return None if interval is None else SessionTimer(interval, refresher != "uas")


def is_too_short(request: Request, terms: Terms) -> bool:
    """Whether a request asks for less than we accept; to be answered 422 with our Min-SE."""
    interval, _ = _asked(request)
    return interval is not None and interval < terms.shortest


def grant(request: Request) -> tuple[SessionTimer | None, tuple[Field, ...]]:
    """Our side of a request: the timer, and the fields of the 2xx that say so.

    The far end refreshes when it can and did not leave it to us.
    """
    interval, refresher = _asked(request)
    if interval is None:
        return None, ()
    able = lists(request, "Supported", "timer")
    we_refresh = not able or refresher == "uas"
    role = "uas" if we_refresh else "uac"
    fields = [("Session-Expires", f"{interval};refresher={role}")]
    if not we_refresh:
        fields.append(("Require", "timer"))
    return SessionTimer(interval, we_refresh), tuple(fields)


def _asked(message: Request | Response) -> tuple[int | None, str | None]:
    value = message.headers.get("Session-Expires")
    interval = _seconds(value)
    if value is None or interval is None:
        return None, None
    try:
        return interval, Parameters.parse(split(value, ";")[1:]).get("refresher")
    except SipSyntaxError:
        return interval, None


def _seconds(value: str | None) -> int | None:
    digits = (value or "").partition(";")[0].strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(LONGEST_SECONDS))):
        return None
    return int(digits) if 0 < int(digits) <= LONGEST_SECONDS else None
