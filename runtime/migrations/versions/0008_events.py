"""Subscriptions to change feeds."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "event_subscriptions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("system", sa.String(36), nullable=False),
        sa.Column("agreement", sa.String(36), nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("filter", sa.Text, nullable=False),
        sa.Column("watched", sa.Text, nullable=False),
        sa.Column("view", sa.String(64), nullable=False),
        sa.Column("cursor", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_event_subscriptions"),
    )
    op.create_index("ix_event_subscriptions_system", "event_subscriptions", ["system"])
