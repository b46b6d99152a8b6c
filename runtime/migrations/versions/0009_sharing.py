"""Tokens of the open bulk face."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "sharing_tokens",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("agreement", sa.String(36), nullable=False),
        sa.Column("system", sa.String(36), nullable=False),
        sa.Column("made", sa.String(32), nullable=False),
        sa.Column("expires", sa.String(32), nullable=False),
        sa.Column("revoked", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_sharing_tokens"),
        sa.UniqueConstraint("hash", name="uq_sharing_tokens_hash"),
        sa.ForeignKeyConstraint(["agreement"], ["agreements.id"], name="fk_sharing_tokens_agreement"),
        sa.ForeignKeyConstraint(["system"], ["systems.id"], name="fk_sharing_tokens_system"),
    )
    op.create_index("ix_sharing_tokens_agreement", "sharing_tokens", ["agreement"])
