"""The tables. Portable SQL: nothing here may depend on the database that holds them.

Times are microseconds since 1970 in UTC: exact, sortable, and the same in every database. A call
and its log are kept as history; an idempotency key is only needed as long as somebody may repeat
a request.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """An aware datetime, stored as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(
        self,
        dialect: Dialect,  # noqa: ARG002 - the same in every database
    ) -> Callable[..., Any]:
        """Turns a moment into what is stored."""
        return _to_microseconds

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002 - the same in every database
        coltype: object,  # noqa: ARG002
    ) -> Callable[..., datetime | None]:
        """Turns what is stored into a moment in UTC."""
        return _from_microseconds


class Json(TypeDecorator[Any]):
    """A value that is only stored and read, never searched, as JSON text."""

    impl = Text
    cache_ok = True

    def bind_processor(
        self,
        dialect: Dialect,  # noqa: ARG002 - the same in every database
    ) -> Callable[..., str]:
        """Turns a value into what is stored."""
        return _to_json

    def result_processor(
        self,
        dialect: Dialect,  # noqa: ARG002 - the same in every database
        coltype: object,  # noqa: ARG002
    ) -> Callable[..., Any]:
        """Turns what is stored into a value."""
        return _from_json


def _to_microseconds(value: datetime | None) -> int | None:
    return None if value is None else (value - _EPOCH) // _MICROSECOND


def _from_microseconds(value: int | None) -> datetime | None:
    # Exact for centuries to come, in a third of the time of adding to the epoch.
    return None if value is None else datetime.fromtimestamp(value / 1e6, UTC)


def _to_json(value: object) -> str:
    return orjson.dumps(value).decode()


def _from_json(text: str | None) -> Any:
    # Rows that are older than a column have no text in it.
    return None if text is None else orjson.loads(text)


tables = MetaData()

calls = Table(
    "calls",
    tables,
    Column("id", String(36), primary_key=True),
    Column("caller_id", String(256), nullable=False),
    Column("participants", Json, nullable=False),
    Column("call_type", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("start_time", Moment, nullable=False),
    Column("answered_at", Moment),
    Column("end_time", Moment),
    Column("room_id", String(36)),
    Column("metadata", Json, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("hangup_cause", Integer),
    Column("dial_status", String(32)),
    Column("ring_ms", Integer),
    Column("answered_ms", Integer),
    # Both empty for a call that is no channel of a PBX; unique, because one channel is one call.
    Column("asterisk_system", String(128)),
    Column("asterisk_unique_id", String(150)),
    UniqueConstraint("asterisk_unique_id", "asterisk_system", name="one_call_per_channel"),
    Column("quality", Json),
    Index("active_calls", "is_active", "start_time", "id"),
    Index("calls_by_time", "start_time", "id"),
    Index("calls_of_room", "room_id", "start_time", "id"),
)

call_parties = Table(
    "call_parties",
    tables,
    Column("party", String(256), primary_key=True),
    Column[str]("call_id", ForeignKey("calls.id", ondelete="CASCADE"), primary_key=True),
    Column("is_active", Boolean, nullable=False),
    Column("start_time", Moment, nullable=False),
    Index("active_calls_of_party", "party", "is_active", "start_time", "call_id"),
    Index("calls_of_party", "party", "start_time", "call_id"),
    Index("parties_of_call", "call_id"),
)
"""The caller and the participants of each call, to find a party's calls by, newest first."""

call_events = Table(
    "call_events",
    tables,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column[str]("call_id", ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", String(256), nullable=False),
    Column("facts", Json, nullable=False),
    Index("events_of_call", "call_id", "id"),
    # A number is never given again, not even that of a discarded call: readers keep their place.
    sqlite_autoincrement=True,
)
"""Append-only: what happened to each call."""

idempotency_keys = Table(
    "idempotency_keys",
    tables,
    Column("identity", String(256), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column[str]("call_id", ForeignKey("calls.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("keys_by_age", "created_at"),
    Index("keys_of_call", "call_id"),
)

rooms = Table(
    "rooms",
    tables,
    Column("id", String(36), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("owner_id", String(256), nullable=False),
    Column("max_participants", Integer, nullable=False),
    Column("settings", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("number", String(16)),
    # The number while the room is active; unique, because one number is one room.
    Column("active_number", String(16), unique=True),
    Column("members", Json, nullable=False),
    Column("is_locked", Boolean, nullable=False),
    Column("recording", String(256)),
    Column("legs", Integer, nullable=False),
    Column("closes_at", Moment),
    Column("closed_at", Moment),
    Column("is_active", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Index("active_rooms", "is_active", "created_at", "id"),
    Index("rooms_to_close", "is_active", "closes_at"),
    Index("rooms_by_change", "is_active", "updated_at"),
    Index("rooms_by_closing", "closed_at"),
)
"""A room and its members, who are only ever read and written with their room. `version` counts
the changes."""

room_users = Table(
    "room_users",
    tables,
    Column[str]("room_id", ForeignKey("rooms.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", String(256), primary_key=True),
    Column("is_owner", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("rooms_of_user", "user_id", "created_at", "room_id"),
)
"""The owner, the moderator and the members of each active room, to find a user's rooms by."""

room_events = Table(
    "room_events",
    tables,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column[str]("room_id", ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("at", Moment, nullable=False),
    Column("actor", String(256), nullable=False),
    Column("facts", Json, nullable=False),
    Index("events_of_room", "room_id", "id"),
    sqlite_autoincrement=True,
)
"""Append-only: what happened to each room."""

room_keys = Table(
    "room_keys",
    tables,
    Column("identity", String(256), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column[str]("room_id", ForeignKey("rooms.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Moment, nullable=False),
    Index("room_keys_by_age", "created_at"),
    Index("keys_of_room", "room_id"),
)
"""Idempotency keys of rooms."""

api_keys = Table(
    "api_keys",
    tables,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("name", String(256), nullable=False),
    Column("scopes", Json, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)
"""SHA-256 digests of keys. A key has 256 random bits, so that there is nothing to guess and a slow
hash would protect nothing."""

audit = Table(
    "audit",
    tables,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", Moment, nullable=False),
    # Empty for a request that proved nobody.
    Column("identity", String(256)),
    Column("credential", String(16)),
    Column("operation", String(64), nullable=False),
    Column("subject", String(64)),
    Column("address", String(64), nullable=False),
    Column("request_id", String(128), nullable=False),
    Column("status", Integer, nullable=False),
    Column("code", String(64)),
    Index("audit_of_subject", "subject", "id"),
    Index("audit_of_identity", "identity", "id"),
    Index("audit_by_age", "at"),
)
"""Append-only: every request that changed something or tried to; `subject` is a call or a room."""

discards = Table(
    "discards",
    tables,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("subject", String(36), nullable=False),
    Column("at", Moment, nullable=False),
    sqlite_autoincrement=True,
)
"""Append-only: calls and rooms that were recorded and forgotten again, because they never were."""

webhook_targets = Table(
    "webhook_targets",
    tables,
    Column("target", String(64), primary_key=True),
    # How far each log was delivered; empty before the first delivery.
    Column("positions", Json),
    Column("owner", String(64), nullable=False),
    Column("leads_until", Moment, nullable=False),
)

webhook_letters = Table(
    "webhook_letters",
    tables,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("target", String(64), nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("event_type", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("reason", String(256), nullable=False),
    Column("died_at", Moment, nullable=False),
    Column("is_waiting", Boolean, nullable=False),
    UniqueConstraint("target", "event_id", name="one_letter_per_event"),
    Index("letters_by_age", "died_at"),
    Index("letters_that_wait", "target", "is_waiting", "id"),
    sqlite_autoincrement=True,
)
"""Deliveries that were given up; those that wait were asked for again."""

sip_dialogs = Table(
    "sip_dialogs",
    tables,
    Column("leg_id", String(256), primary_key=True),
    Column("call_id", String(36), nullable=False),
    Column("user_id", String(256), nullable=False),
    Column("is_caller", Boolean, nullable=False),
    Column("is_noted", Boolean, nullable=False),
    Column("snapshot", Json, nullable=False),
)
"""Legs of browsers that are up, so that they go on when the service is started again."""
