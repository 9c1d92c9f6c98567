"""How long the parts of a call may take."""

from dataclasses import dataclass, field

from fastagi_server.sip.session_timer import Terms

RINGING_SECONDS = 180.0
"""From the INVITE to the answer, whoever calls."""

LOST_SECONDS = 10.0
"""For a lost connection to come back before its calls are given up."""

MAX_SENT_SDP = 48 * 1024
"""Bytes of a description that we send: pjsip takes no message of 64 kB, and ends the connection
that all calls share for one."""


def is_too_long(sdp: str) -> bool:
    """Whether a description cannot be sent."""
    return len(sdp) > MAX_SENT_SDP or len(sdp.encode()) > MAX_SENT_SDP


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a leg, in seconds, and what it asks of session timers."""

    ringing_seconds: float = RINGING_SECONDS
    lost_seconds: float = LOST_SECONDS
    terms: Terms = field(default_factory=Terms)
