"""A filter of a circle that is added once more keeps its earlier stay; what a circle holds is counted beside it."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    circles = op.create_table(
        "circles",
        sa.Column("circle", sa.String(64), nullable=False),
        sa.Column("standing", sa.Integer, nullable=False),
        sa.Column("changed", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("circle", name="pk_circles"),
    )
    kept = sa.table("circle_filters", sa.column("circle"), sa.column("added"), sa.column("removed"))
    # The later of the two; where nothing was removed, when the last was added.
    removed = sa.func.coalesce(sa.func.max(kept.c.removed), "")
    added = sa.func.max(kept.c.added)
    last = sa.case((removed > added, removed), else_=added)
    standing = sa.func.count() - sa.func.count(kept.c.removed)
    found = sa.select(kept.c.circle, standing, last).group_by(kept.c.circle)
    op.execute(circles.insert().from_select(["circle", "standing", "changed"], found))
    with op.batch_alter_table("circle_filters") as table:
        table.drop_constraint("pk_circle_filters", type_="primary")
        table.create_primary_key("pk_circle_filters", ["circle", "kind", "value", "added"])
