"""Legs of browsers that outlive a restart of the service."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the table of their dialogs."""
    op.create_table(
        "sip_dialogs",
        sa.Column("leg_id", sa.String(256), primary_key=True),
        sa.Column("call_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(256), nullable=False),
        sa.Column("is_caller", sa.Boolean, nullable=False),
        sa.Column("is_noted", sa.Boolean, nullable=False),
        sa.Column("snapshot", sa.Text, nullable=False),
    )
