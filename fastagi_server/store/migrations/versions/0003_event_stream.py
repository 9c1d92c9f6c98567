"""Numbers of events that are never given again; what was discarded; webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBERED = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the numbers of events unique for ever, and add tables."""
    _number_for_ever("call_events")
    _number_for_ever("room_events")
    _create_discards()
    _create_webhook_targets()
    _create_webhook_letters()


def _number_for_ever(table: str) -> None:
    # PostgreSQL never gives a number twice. SQLite does, unless the table is made so.
    if op.get_bind().dialect.name != "sqlite":
        return
    with op.batch_alter_table(
        table, recreate="always", table_kwargs={"sqlite_autoincrement": True}
    ):
        pass


def _create_discards() -> None:
    op.create_table(
        "discards",
        sa.Column("id", _NUMBERED, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(36), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )


def _create_webhook_targets() -> None:
    op.create_table(
        "webhook_targets",
        sa.Column("target", sa.String(64), primary_key=True),
        sa.Column("positions", sa.Text),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("leads_until", sa.BigInteger, nullable=False),
    )


def _create_webhook_letters() -> None:
    op.create_table(
        "webhook_letters",
        sa.Column("id", _NUMBERED, primary_key=True),
        sa.Column("target", sa.String(64), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("event_type", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(256), nullable=False),
        sa.Column("died_at", sa.BigInteger, nullable=False),
        sa.Column("is_waiting", sa.Boolean, nullable=False),
        sa.UniqueConstraint("target", "event_id", name="one_letter_per_event"),
        sqlite_autoincrement=True,
    )
    op.create_index("letters_by_age", "webhook_letters", ["died_at"])
    op.create_index("letters_that_wait", "webhook_letters", ["target", "is_waiting", "id"])
