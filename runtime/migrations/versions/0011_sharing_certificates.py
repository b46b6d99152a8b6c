"""Tokens of the open bulk face that a system made for itself end with the certificate that it showed."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("sharing_tokens") as table:
        table.add_column(sa.Column("certificate", sa.String(64)))
