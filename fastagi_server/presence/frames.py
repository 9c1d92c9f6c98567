"""Frames that are sent to event sockets, in the two forms that clients speak.

    flat      {"type": "PresenceStatus", "user_id": "alice", "status": "do_not_disturb", ...}
    tagged    {"PresenceStatus": {"user_id": "alice", "status": "Busy", ...}}, or "Pong" alone

The tagged form is the older published one. It has four states, spelt in Pascal case.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum, auto
from typing import Any

import orjson

from fastagi_server.presence.models import Presence, Status

STATUS = "status"


class Form(Enum):
    """How a client writes its frames, and wants to be answered."""

    FLAT = auto()
    TAGGED = auto()


class Frame:
    """One frame for any number of sockets; it is written once for each form that is asked for.

    `fields` are what JSON can hold and datetimes, and have no `type`.
    """

    __slots__ = ("_fields", "_flat", "_tagged", "kind")

    def __init__(self, kind: str, fields: Mapping[str, Any] | None = None) -> None:
        self.kind = kind
        self._fields = fields or {}
        self._flat: str | None = None
        self._tagged: str | None = None

    def text(self, form: Form = Form.FLAT) -> str:
        """The frame as JSON."""
        if form is Form.FLAT:
            if self._flat is None:
                self._flat = _json({"type": self.kind, **self._fields})
            return self._flat
        if self._tagged is None:
            fields = dict(self._fields)
            if isinstance(fields.get(STATUS), Status):
                fields[STATUS] = _four_states(fields[STATUS])
            self._tagged = _json({self.kind: fields} if fields else self.kind)
        return self._tagged


def presence_frame(presence: Presence) -> Frame:
    """Tells of somebody's state; `timestamp` is seconds since 1970."""
    return Frame(
        "PresenceStatus",
        {
            "user_id": presence.user,
            STATUS: presence.status,
            "status_message": presence.message,
            "timestamp": int(presence.changed_at.timestamp()),
        },
    )


def notification(title: str, message: str, level: str = "info") -> Frame:
    """A word to the user; levels are info, success, warning and error."""
    return Frame("Notification", {"title": title, "message": message, "level": level})


def error(message: str) -> Frame:
    """Says why a frame was not done."""
    return Frame("Error", {"message": message})


def system_status(status: str, at: datetime) -> Frame:
    """What the service says of itself on the channel `system`."""
    data = {"event": "system_status", STATUS: status, "timestamp": int(at.timestamp())}
    return Frame("Update", {"channel": "system", "data": data})


def _four_states(status: Status) -> str:
    shown = Status.BUSY if status is Status.DO_NOT_DISTURB else status
    return shown.value.capitalize()


def _json(content: object) -> str:
    return orjson.dumps(content, option=orjson.OPT_UTC_Z).decode()
