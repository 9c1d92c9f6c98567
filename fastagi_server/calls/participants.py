"""Who is invited: a dial string of Asterisk or a user id.

A dial string ends up in Asterisk's hands, where `&` rings somebody else as well, `Local/` runs any
dialplan, and a comma, a bracket or a `${` would be read as dialplan. So both halves are positive
lists: technologies that ring a telephone, and characters that occur in real resources.
"""

import re
from collections.abc import Sequence

from fastagi_server.calls.errors import InvalidCallError

MAX_PARTICIPANTS = 50
"""The limit of the published data model."""

MAX_PARTICIPANT_LENGTH = 256

TECHNOLOGIES = frozenset(
    {"SIP", "PJSIP", "IAX2", "DAHDI", "SCCP", "SKINNY", "UNISTIM", "MGCP", "OOH323", "MOBILE"}
)
"""Channel technologies that ring somebody. `Local` runs dialplan instead, `AudioSocket`,
`WebSocket`, `UnicastRTP` and `MulticastRTP` send media to any host, and the rest of Asterisk's
list (`Recorder`, `Announcer`, `Snoop`, `ConfBridgeRec`...) is internal."""

_DIAL_STRING = re.compile(r"([A-Za-z0-9]+)/[A-Za-z0-9._@:;+*#/=~%\[\]-]+")
_OWN_ENDPOINT = re.compile(r"(SIP|PJSIP|IAX2|SCCP|SKINNY|UNISTIM)/[A-Za-z0-9_.-]+", re.IGNORECASE)
_USER_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+|-]*")


def check_participants(participants: Sequence[str]) -> None:
    """Raise InvalidCallError unless there are 1 to 50 participants that may be rung."""
    if not 1 <= len(participants) <= MAX_PARTICIPANTS:
        raise InvalidCallError(f"participants must have 1 to {MAX_PARTICIPANTS} entries")
    for position, participant in enumerate(participants):
        _check(position, participant)


def _check(position: int, participant: str) -> None:
    if len(participant) > MAX_PARTICIPANT_LENGTH:
        raise InvalidCallError(
            f"participants[{position}] is longer than {MAX_PARTICIPANT_LENGTH} characters"
        )
    dial_string = _DIAL_STRING.fullmatch(participant)
    if dial_string is None:
        if _USER_ID.fullmatch(participant) is None:
            raise InvalidCallError(
                f"participants[{position}] is neither a dial string (TECHNOLOGY/resource)"
                " nor a user id"
            )
    elif dial_string[1].upper() not in TECHNOLOGIES:
        raise InvalidCallError(f"participants[{position}] names a technology that may not be rung")


def is_dial_string(participant: str) -> bool:
    """Whether a checked participant names a channel to ring rather than a user."""
    return "/" in participant


def rings_outside(participant: str) -> bool:
    """Whether a checked participant is no telephone of the PBX's own but lies beyond a trunk.

    What is out there costs somebody money: `number@trunk`, `endpoint/sip:...`, a line of DAHDI.
    """
    return is_dial_string(participant) and _OWN_ENDPOINT.fullmatch(participant) is None
