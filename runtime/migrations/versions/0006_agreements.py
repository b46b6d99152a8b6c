"""Codes of municipalities, ends of replaced agreements, reminders that are told once."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organisations", sa.Column("code", sa.String(4)))
    op.create_index("uq_organisations_code", "organisations", ["code"], unique=True)
    op.add_column("agreements", sa.Column("replaced", sa.String(32)))
    op.add_column("notices", sa.Column("reminder", sa.String(200)))
    op.create_index("uq_notices_reminder", "notices", ["reminder"], unique=True)
