"""Values: an event as other programs get it, and the table of the types that there are.

As JSON, on one line:

    {"id": "3fa9c0d2e1b4-17", "type": "call.connected", "at": "2026-11-23T09:14:03.250000Z",
     "call": "5f0c8a52-7f4e-4d4a-9f0e-0a8b7a1f6c11", "room": null, "channel": "1767268800.17",
     "data": {"actor": "asterisk", "caller_id": "alice", "participants": ["PJSIP/1001"]}}

`id` names the event; in the stream it is the cursor to go on from. `call`, `room` and `channel` say
what the event is about, `data` whatever else is known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from fastagi_server.calls.models import EventKind
from fastagi_server.rooms.models import RoomEventKind

GAP = "stream.gap"

CALL_TYPES: Mapping[str, str] = {
    str(kind): f"call.{kind}"
    for kind in EventKind
    if kind not in {EventKind.ACCEPTED, EventKind.HELD}
} | {str(EventKind.ACCEPTED): "call.connected", str(EventKind.HELD): "call.on_hold"}
"""Types by what the log of a call says; two are called after the status that follows."""

ROOM_TYPES: Mapping[str, str] = {str(kind): f"room.{kind}" for kind in RoomEventKind}

CALL_ENDED = "call.ended"
CALL_DISCARDED = "call.discarded"
ROOM_DISCARDED = "room.discarded"

TYPES: Mapping[str, str] = {
    "call.created": "A call was registered or placed",
    "call.adopted": "A channel that came without registration became a call",
    "call.ringing": "A participant rings",
    "call.connected": "The call was answered",
    "call.on_hold": "The call is on hold",
    "call.resumed": "The call is off hold",
    "call.muted": "A participant was muted",
    "call.unmuted": "A participant was unmuted",
    "call.dtmf": "Keys were pressed for a participant",
    "call.played": "A sound was played to the call",
    "call.transferred": "A participant was transferred",
    CALL_ENDED: "The call has ended; hangup_cause (Q.850), dial_status, answered_ms, reason",
    "call.measured": "The PBX told after the end what was not known at the end",
    CALL_DISCARDED: "A call that was announced never was: it could not be placed",
    "room.created": "A room was made",
    "room.joined": "A user joined without a telephone",
    "room.ringing": "A member's telephone rings",
    "room.arrived": "A telephone called in and waits",
    "room.entered": "A telephone is in the conference",
    "room.left": "A member left",
    "room.kicked": "A member was removed",
    "room.muted": "A member was muted",
    "room.unmuted": "A member was unmuted",
    "room.locked": "Nobody else may join",
    "room.unlocked": "Others may join again",
    "room.recording_started": "The room is recorded",
    "room.recording_stopped": "The room is no longer recorded",
    "room.reconciled": "The record of the room was brought in line with Asterisk",
    "room.closed": "The room was closed",
    ROOM_DISCARDED: "A room that was announced never was: it could not be made",
    "channel.created": "Asterisk made a channel; name, caller_number, exten, context",
    "channel.ended": "A channel is gone; name, cause (Q.850)",
    "endpoint.registered": "A phone can be reached; endpoint, uri",
    "endpoint.unregistered": "A phone cannot be reached any more; endpoint, uri, status",
    "device.state": "A device is in another state; device, state",
    "security.alert": "Asterisk turned somebody away; kind, service, account, remote_address",
    "link.up": "A link works (ari, ami, sge); link, name",
    "link.down": "A link does not work; link, name",
    "quality.sampled": "The mean opinion score, 1 to 5, of the channels sampled last; mos",
    "service.started": "This service serves; version",
    "service.stopping": "This service ends, and with it the stream",
    GAP: "Events before this one were lost; lost is how many at most, null when unknown; reason",
}
"""Every type and its meaning. Types may be added, so that programs shall ignore unknown ones."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event, without an id; `at` is aware. `data` holds what JSON can, and datetimes."""

    type: str
    at: datetime
    call: str | None = None
    room: str | None = None
    channel: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


def encode(event: Event, event_id: str) -> bytes:
    """The event as JSON, on one line."""
    return orjson.dumps(
        {
            "id": event_id,
            "type": event.type,
            "at": event.at,
            "call": event.call,
            "room": event.room,
            "channel": event.channel,
            "data": event.data,
        },
        option=orjson.OPT_UTC_Z,
    )
