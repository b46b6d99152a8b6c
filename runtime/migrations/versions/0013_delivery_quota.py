"""Deliveries count against the limits of their agreement, once for each time that they are asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("subscriptions") as table:
        table.add_column(sa.Column("purpose", sa.Text))
    with op.batch_alter_table("deliveries") as table:
        table.add_column(sa.Column("counted", sa.Integer, nullable=False, server_default="0"))
