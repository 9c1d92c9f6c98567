"""Calls, their parties, events and idempotency keys, and API keys.

These are the tables of the release that had no migrations: a database of that release has them
already and is taken over as it is.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables that are not there."""
    _create_calls()
    _create_parties()
    _create_events()
    _create_idempotency_keys()
    op.create_table(
        "api_keys",
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        if_not_exists=True,
    )


def _create_calls() -> None:
    op.create_table(
        "calls",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("caller_id", sa.String(256), nullable=False),
        sa.Column("participants", sa.Text, nullable=False),
        sa.Column("call_type", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("start_time", sa.BigInteger, nullable=False),
        sa.Column("answered_at", sa.BigInteger),
        sa.Column("end_time", sa.BigInteger),
        sa.Column("room_id", sa.String(36)),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("hangup_cause", sa.Integer),
        sa.Column("dial_status", sa.String(32)),
        sa.Column("ring_ms", sa.Integer),
        sa.Column("answered_ms", sa.Integer),
        sa.Column("asterisk_system", sa.String(128)),
        sa.Column("asterisk_unique_id", sa.String(150)),
        sa.UniqueConstraint("asterisk_unique_id", "asterisk_system", name="one_call_per_channel"),
        if_not_exists=True,
    )
    _index("active_calls", "calls", "is_active", "start_time", "id")


def _create_parties() -> None:
    op.create_table(
        "call_parties",
        sa.Column("party", sa.String(256), primary_key=True),
        _of_a_call(primary_key=True),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("start_time", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    _index("active_calls_of_party", "call_parties", "party", "is_active", "start_time", "call_id")
    _index("parties_of_call", "call_parties", "call_id")


def _create_events() -> None:
    op.create_table(
        "call_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        _of_a_call(),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(256), nullable=False),
        sa.Column("facts", sa.Text, nullable=False),
        if_not_exists=True,
    )
    _index("events_of_call", "call_events", "call_id", "id")


def _create_idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("identity", sa.String(256), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        _of_a_call(),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        if_not_exists=True,
    )
    _index("keys_by_age", "idempotency_keys", "created_at")
    _index("keys_of_call", "idempotency_keys", "call_id")


def _of_a_call(*, primary_key: bool = False) -> "sa.Column[str]":
    return sa.Column(
        "call_id",
        sa.String(36),
        sa.ForeignKey("calls.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def _index(name: str, table: str, *columns: str) -> None:
    op.create_index(name, table, list(columns), if_not_exists=True)
