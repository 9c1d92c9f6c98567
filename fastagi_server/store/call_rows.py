"""How a call is written into columns and read from them."""

from typing import Any

from fastagi_server.calls.models import Call, CallStatus, CallType, ChannelName
from fastagi_server.store import schema

_TYPES = {str(call_type): call_type for call_type in CallType}
_STATUSES = {str(status): status for status in CallStatus}

_calls = schema.calls.c

# In the order in which `to_call` takes them.
COLUMNS = (
    _calls.id,
    _calls.caller_id,
    _calls.participants,
    _calls.call_type,
    _calls.status,
    _calls.start_time,
    _calls.answered_at,
    _calls.end_time,
    _calls.room_id,
    _calls.metadata,
    _calls.updated_at,
    _calls.hangup_cause,
    _calls.dial_status,
    _calls.ring_ms,
    _calls.answered_ms,
    _calls.quality,
    _calls.asterisk_system,
    _calls.asterisk_unique_id,
)


def to_row(call: Call) -> dict[str, Any]:
    """All columns of a call."""
    channel = call.channel
    return changing(call) | {
        "id": call.id,
        "caller_id": call.caller_id,
        "participants": call.participants,
        "call_type": call.call_type,
        "start_time": call.start_time,
        "room_id": call.room_id,
        "metadata": call.metadata,
        "asterisk_system": None if channel is None else channel.system,
        "asterisk_unique_id": None if channel is None else channel.unique_id,
    }


def changing(call: Call) -> dict[str, Any]:
    """The columns that may change while a call goes on."""
    return {
        "status": call.status,
        "is_active": call.is_active,
        "answered_at": call.answered_at,
        "end_time": call.end_time,
        "updated_at": call.updated_at,
        "hangup_cause": call.hangup_cause,
        "dial_status": call.dial_status,
        "ring_ms": call.ring_ms,
        "answered_ms": call.answered_ms,
        "quality": call.quality,
    }


def to_call(stored: list[Any]) -> Call:
    """The call in a row of COLUMNS, which is used up."""
    # By position and through tables: this runs for every row of a list, on the event loop.
    unique_id = stored.pop()
    system = stored.pop()
    quality = stored.pop()
    stored[2] = tuple(stored[2])
    stored[3] = _TYPES[stored[3]]
    stored[4] = _STATUSES[stored[4]]
    stored.append(None if unique_id is None else ChannelName(system, unique_id))
    stored.append(quality)
    return Call(*stored)
