"""Rooms; the history of calls by time, party and room; more kinds of events; the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_NUMBERED = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add columns, indexes and tables."""
    _extend_calls()
    _create_rooms()
    _create_room_users()
    _create_room_events()
    _create_room_keys()
    _create_audit()


def _extend_calls() -> None:
    op.add_column("calls", sa.Column("quality", sa.Text))
    op.create_index("calls_by_time", "calls", ["start_time", "id"])
    op.create_index("calls_of_room", "calls", ["room_id", "start_time", "id"])
    op.create_index("calls_of_party", "call_parties", ["party", "start_time", "call_id"])
    with op.batch_alter_table("call_events") as events:
        events.alter_column("kind", existing_type=sa.String(16), type_=sa.String(32))


def _create_rooms() -> None:
    op.create_table(
        "rooms",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("owner_id", sa.String(256), nullable=False),
        sa.Column("max_participants", sa.Integer, nullable=False),
        sa.Column("settings", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("number", sa.String(16)),
        sa.Column("active_number", sa.String(16), unique=True),
        sa.Column("members", sa.Text, nullable=False),
        sa.Column("is_locked", sa.Boolean, nullable=False),
        sa.Column("recording", sa.String(256)),
        sa.Column("legs", sa.Integer, nullable=False),
        sa.Column("closes_at", sa.BigInteger),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
    )
    op.create_index("active_rooms", "rooms", ["is_active", "created_at", "id"])
    op.create_index("rooms_to_close", "rooms", ["is_active", "closes_at"])
    op.create_index("rooms_by_change", "rooms", ["is_active", "updated_at"])
    op.create_index("rooms_by_closing", "rooms", ["closed_at"])


def _create_room_users() -> None:
    op.create_table(
        "room_users",
        _of_a_room(primary_key=True),
        sa.Column("user_id", sa.String(256), primary_key=True),
        sa.Column("is_owner", sa.Boolean, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("rooms_of_user", "room_users", ["user_id", "created_at", "room_id"])


def _create_room_events() -> None:
    op.create_table(
        "room_events",
        sa.Column("id", _NUMBERED, primary_key=True),
        _of_a_room(),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
    )
    op.create_index("events_of_room", "room_events", ["room_id", "id"])


def _create_room_keys() -> None:
    op.create_table(
        "room_keys",
        sa.Column("identity", sa.String(256), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        _of_a_room(),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("room_keys_by_age", "room_keys", ["created_at"])
    op.create_index("keys_of_room", "room_keys", ["room_id"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _NUMBERED, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("identity", sa.String(256)),
        sa.Column("credential", sa.String(16)),
        sa.Column("operation", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64)),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("code", sa.String(64)),
    )
    op.create_index("audit_of_subject", "audit", ["subject", "id"])
    op.create_index("audit_of_identity", "audit", ["identity", "id"])
    op.create_index("audit_by_age", "audit", ["at"])


def _of_a_room(*, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(
        "room_id",
        sa.String(36),
        sa.ForeignKey("rooms.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )
