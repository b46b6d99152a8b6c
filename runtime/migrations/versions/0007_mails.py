"""Mails of notices, one for each recipient."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mails",
        sa.Column("notice", sa.String(36), nullable=False),
        sa.Column("recipient", sa.String(36), nullable=False),
        sa.Column("sent", sa.String(32)),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("next", sa.String(32)),
        sa.Column("given_up", sa.String(32)),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("notice", "recipient", name="pk_mails"),
        sa.ForeignKeyConstraint(["notice"], ["notices.id"], name="fk_mails_notice"),
    )
    # Counted per recipient from now on.
    op.drop_column("notices", "attempts")
