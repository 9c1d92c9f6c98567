"""What a client asks for when it creates a call, checked.

Metadata belongs to the client, except the two keys that name the channel: those are ours, and
what a client sends under them is left out.
"""

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from fastagi_server.calls.errors import InvalidCallError
from fastagi_server.calls.models import Call, CallStatus, CallType, ChannelName
from fastagi_server.calls.participants import check_participants, is_dial_string

MAX_METADATA_ENTRIES = 64
MAX_METADATA_KEY_LENGTH = 64
MAX_METADATA_VALUE_LENGTH = 1024
MAX_UNIQUE_ID_LENGTH = 150
"""AST_MAX_PUBLIC_UNIQUEID of Asterisk."""
MAX_SYSTEM_LENGTH = 128

CHANNEL_ID = "asterisk_channel_id"
CHANNEL_NAME = "asterisk_channel_name"
# PostgreSQL refuses NUL, and half of a surrogate pair, which JSON can spell, is no text at all.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")

OURS = frozenset({CHANNEL_ID, CHANNEL_NAME})

CALLER_LEG, BROWSER, DIRECT = "caller_leg", "webrtc", "direct"
"""The metadata that says that the caller is a browser, and how its call is made: by its offer to
the PBX, or without the PBX, from browser to browser."""


@dataclass(frozen=True, slots=True)
class CallOrder:
    """Participants, type and metadata of a call to be; making one checks every limit.

    Raises InvalidCallError.
    """

    participants: tuple[str, ...]
    call_type: CallType
    metadata: Mapping[str, str]

    def __post_init__(self) -> None:
        check_participants(self.participants)
        _check_metadata(self.metadata)

    @property
    def channel(self) -> ChannelName | None:
        """The live channel that this call is, or None for a call to be placed."""
        unique_id = self.metadata.get("asterisk_call_id")
        if not unique_id:
            return None
        return ChannelName(self.metadata.get("asterisk_system", ""), unique_id)

    @property
    def needs_pbx(self) -> bool:
        """Whether somebody must be rung who can only be rung by the PBX."""
        return (
            self.channel is None
            and self.metadata.get(CALLER_LEG) not in {BROWSER, DIRECT}
            and any(map(is_dial_string, self.participants))
        )

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of what the order means: equal for equal orders however they were written.

        An order to adopt a channel means that channel: the dialplan may know more of the call when
        it says so again, at its end say, and must not be refused for it.
        """
        if self.channel is not None:
            return hashlib.sha256(
                orjson.dumps((self.channel.system, self.channel.unique_id))
            ).digest()
        meaning = (self.participants, self.call_type, sorted(self.metadata.items()))
        return hashlib.sha256(orjson.dumps(meaning)).digest()

    def draft(self, caller_id: str, now: datetime) -> Call:
        """A new call that is what was ordered, with an id of its own."""
        call_id = str(uuid.uuid4())
        metadata = {key: value for key, value in self.metadata.items() if key not in OURS}
        if self.channel is not None:
            metadata[CHANNEL_ID] = self.channel.unique_id
        elif self.needs_pbx:
            metadata[CHANNEL_ID] = leg_id(call_id, 0)
        return Call(
            id=call_id,
            caller_id=caller_id,
            participants=self.participants,
            call_type=self.call_type,
            status=CallStatus.INITIATING,
            start_time=now,
            answered_at=None,
            end_time=None,
            room_id=None,
            metadata=metadata,
            updated_at=now,
            channel=self.channel,
        )


def is_browsers(metadata: Mapping[str, str]) -> bool:
    """Whether a call with this metadata begins with the offer of its caller's browser."""
    return metadata.get(CALLER_LEG) == BROWSER and not metadata.get("asterisk_call_id")


def rung_participants(call: Call) -> list[str]:
    """Who is rung for a call that is placed, in the order of its legs: users come last."""
    return sorted(call.participants, key=lambda each: not is_dial_string(each))


def arriving_channel(call: Call) -> str | None:
    """The unique id of the channel that a call came by; None for a call that is placed."""
    if call.channel is not None:
        return call.channel.unique_id
    channel = call.metadata.get(CHANNEL_ID)
    return None if channel == leg_id(call.id, 0) else channel


def leg_id(call_id: str, number: int) -> str:
    """The id of the channel that is made as a call's `number`-th leg, counted from 0."""
    return f"sge-{call_id}-{number}"


def bridge_id(call_id: str) -> str:
    """The id of a call's bridge."""
    return f"sge-{call_id}"


def _check_metadata(metadata: Mapping[str, str]) -> None:
    if len(metadata) > MAX_METADATA_ENTRIES:
        raise InvalidCallError(f"metadata has more than {MAX_METADATA_ENTRIES} entries")
    for key, value in metadata.items():
        if not 1 <= len(key) <= MAX_METADATA_KEY_LENGTH or not key.isprintable():
            raise InvalidCallError(
                f"metadata keys must have 1 to {MAX_METADATA_KEY_LENGTH} printable characters"
            )
        if len(value) > MAX_METADATA_VALUE_LENGTH or _UNSTORABLE.search(value):
            raise InvalidCallError(
                f"metadata values must be text of at most {MAX_METADATA_VALUE_LENGTH} characters"
            )
    _check_name(metadata, "asterisk_call_id", MAX_UNIQUE_ID_LENGTH)
    _check_name(metadata, "asterisk_system", MAX_SYSTEM_LENGTH)


def _check_name(metadata: Mapping[str, str], key: str, limit: int) -> None:
    value = metadata.get(key, "")
    if len(value) > limit or not value.isprintable():
        raise InvalidCallError(f"metadata.{key} must have at most {limit} printable characters")
