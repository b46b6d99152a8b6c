"""Subscriptions, their deliveries, and the circles of persons they follow."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("agreement", sa.String(36), nullable=False),
        sa.Column("system", sa.String(36), nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.Column("contents", sa.Text, nullable=False),
        sa.Column("schedule", sa.Text, nullable=False),
        sa.Column("target", sa.Text, nullable=False),
        sa.Column("confirm_within_s", sa.Integer),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("deliveries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reached", sa.Integer),
        sa.Column("cursor", sa.Text),
        sa.Column("planned", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
    )
    op.create_index("ix_subscriptions_agreement", "subscriptions", ["agreement"])
    op.create_index("ix_subscriptions_system", "subscriptions", ["system"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("subscription", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("stage", sa.String(20), nullable=False),
        sa.Column("since", sa.Text),
        sa.Column("until", sa.Integer, nullable=False),
        sa.Column("cursor", sa.Text),
        sa.Column("why_full", sa.Text, nullable=False),
        sa.Column("extract", sa.String(64)),
        sa.Column("file", sa.Text),
        sa.Column("rows", sa.Integer),
        sa.Column("size_bytes", sa.BigInteger),
        sa.Column("sha256", sa.String(64)),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("round", sa.Integer, nullable=False, server_default="0"),
        sa.Column("due", sa.String(32), nullable=False),
        sa.Column("lease_until", sa.String(32)),
        sa.Column("fence", sa.Integer, nullable=False, server_default="0"),
        sa.Column("fault", sa.Text),
        sa.Column("fault_code", sa.Text),
        sa.Column("planned", sa.String(32), nullable=False),
        sa.Column("sent", sa.String(32)),
        sa.Column("received", sa.String(32)),
        sa.Column("alarmed", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(["subscription"], ["subscriptions.id"], name="fk_deliveries_subscription"),
        sa.UniqueConstraint("subscription", "number", name="uq_deliveries_subscription_number"),
    )
    op.create_index("ix_deliveries_state_due", "deliveries", ["state", "due"])
    op.create_index("ix_deliveries_extract", "deliveries", ["extract"])
    op.create_table(
        "delivery_steps",
        sa.Column("delivery", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("delivery", "number", name="pk_delivery_steps"),
        sa.ForeignKeyConstraint(["delivery"], ["deliveries.id"], name="fk_delivery_steps_delivery"),
    )
    op.create_table(
        "delivery_endpoints",
        sa.Column("endpoint", sa.Text, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("open_until", sa.String(32)),
        sa.PrimaryKeyConstraint("endpoint", name="pk_delivery_endpoints"),
    )
    op.create_table(
        "circle_filters",
        sa.Column("circle", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("value", sa.String(64), nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("added", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("circle", "kind", "value", name="pk_circle_filters"),
    )
