"""How the browsers of users are called: `PJSIP/<seat>@<endpoint>`, with one endpoint for all.

A seat is a user id in characters that a dial string and a SIP URI both hold: whatever else a user
id may have is written `~` and its two hexadecimal digits, so `alice@example.org` sits at
`alice~40example.org`. No user id has a `~`, so both ways are unambiguous.
"""

import re
from dataclasses import dataclass

from fastagi_server.identities.identity import is_name

_SEAT = re.compile(r"(?:[A-Za-z0-9._+-]|~[0-9a-f]{2}){1,1024}")
_FOREIGN = re.compile(r"[^A-Za-z0-9._+-]")
_ESCAPED = re.compile(r"~([0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class BrowserEndpoint:
    """The PJSIP endpoint behind which all browsers are; without a `name` there is none."""

    name: str = ""

    def dial_string(self, user: str) -> str:
        """What rings this user's browsers."""
        return f"PJSIP/{seat_of(user)}@{self.name}"

    def user_of(self, dial_string: str) -> str | None:
        """Whose browsers a dial string means; None when it means something else.

        A client may write the user as he is: what is rung is always `dial_string`.
        """
        technology, _, resource = dial_string.partition("/")
        seat, _, endpoint = resource.rpartition("@")
        if not self.name or endpoint != self.name or technology.upper() not in {"PJSIP", "SIP"}:
            return None
        return user_at(seat) or (seat if is_name(seat) else None)

    def has_channel(self, channel_name: str) -> bool:
        """Whether a channel of this name (`PJSIP/endpoint-0000001a`) leads to a browser."""
        return bool(self.name) and channel_name.rpartition("-")[0] == f"PJSIP/{self.name}"


def seat_of(user: str) -> str:
    """The seat of a user."""
    return _FOREIGN.sub(lambda found: f"~{ord(found[0]):02x}", user)


def user_at(seat: str) -> str | None:
    """Whose seat this is; None for what is none."""
    if _SEAT.fullmatch(seat) is None:
        return None
    user = _ESCAPED.sub(lambda found: chr(int(found[1], 16)), seat)
    return user if is_name(user) else None


NO_BROWSERS = BrowserEndpoint()
