"""What Asterisk says of a call to a browser, and the call it is recorded as where it names none."""

from typing import Any

from fastagi_server.calls.models import CallType
from fastagi_server.calls.orders import CallOrder
from fastagi_server.sip.events import Invitation

ROOM = "room-"
"""Before the id of a room in the place of a call's: who is rung has asked to come into it."""

MAX_SHOWN = 128
"""Characters of a caller's number or name that a page is told."""


def offer_of(invitation: Invitation) -> dict[str, Any]:
    """The `offer` that the user's pages get: the description, and who calls."""
    offer = {
        "type": "offer",
        "sdp": invitation.sdp,
        "caller_number": _shown(invitation.caller_number),
        "caller_name": _shown(invitation.caller_name),
    }
    room_id = room_of(invitation)
    return offer if room_id is None else {**offer, "room_id": room_id}


def room_of(invitation: Invitation) -> str | None:
    """The room that a user is rung for; None for a call."""
    _, prefix, room_id = invitation.session.rpartition(ROOM)
    return room_id if prefix else None


def order_of(invitation: Invitation, user: str) -> CallOrder:
    """The call of a telephone that the dialplan has sent to a user's pages, or of a room."""
    has_video = "\nm=video " in invitation.sdp
    told = {
        "caller_id": _shown(invitation.caller_number),
        "caller_name": _shown(invitation.caller_name),
        "room_id": room_of(invitation) or "",
    }
    metadata = {name: value for name, value in told.items() if value}
    return CallOrder((user,), CallType.VIDEO if has_video else CallType.AUDIO, metadata)


def _shown(text: str) -> str:
    return "".join(filter(str.isprintable, text))[:MAX_SHOWN]
