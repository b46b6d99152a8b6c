"""A filter of a circle that was removed is remembered until the subscriber was told whom it follows no more."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("circle_filters") as table:
        table.add_column(sa.Column("removed", sa.String(32)))
    op.create_index("ix_circle_filters_circle_added", "circle_filters", ["circle", "added"])
    op.create_index("ix_circle_filters_removed", "circle_filters", ["removed"])
