"""Organisations, systems, certificates, SSH keys, agreements and their history, the policy's version."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "organisations",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("cvr", sa.String(8), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_organisations"),
        sa.UniqueConstraint("cvr", name="uq_organisations_cvr"),
        sa.CheckConstraint("kind IN ('supplier', 'municipality', 'operator')", name=op.f("ck_organisations_kind")),
    )
    op.create_table(
        "systems",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("organisation", sa.String(36), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("purpose", sa.Text, nullable=False),
        sa.Column("contact", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_systems"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name="fk_systems_organisation"),
        sa.UniqueConstraint("organisation", "name", name="uq_systems_organisation_name"),
    )
    op.create_table(
        "certificates",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("system", sa.String(36), nullable=False),
        sa.Column("issuer", sa.Text, nullable=False),
        sa.Column("serial", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("valid_from", sa.String(32), nullable=False),
        sa.Column("valid_to", sa.String(32), nullable=False),
        sa.Column("bound", sa.String(32), nullable=False),
        sa.Column("revoked", sa.String(32)),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_certificates"),
        sa.ForeignKeyConstraint(["system"], ["systems.id"], name="fk_certificates_system"),
    )
    op.create_index("ix_certificates_system", "certificates", ["system"])
    op.create_table(
        "ssh_keys",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("system", sa.String(36), nullable=False),
        sa.Column("public_key", sa.Text, nullable=False),
        sa.Column("bound", sa.String(32), nullable=False),
        sa.Column("revoked", sa.String(32)),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_ssh_keys"),
        sa.ForeignKeyConstraint(["system"], ["systems.id"], name="fk_ssh_keys_system"),
    )
    op.create_index("ix_ssh_keys_system", "ssh_keys", ["system"])
    op.create_table(
        "agreements",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("municipality", sa.String(36), nullable=False),
        sa.Column("system", sa.String(36), nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("terms_hash", sa.String(64), nullable=False),
        sa.Column("valid_from", sa.String(32), nullable=False),
        sa.Column("valid_to", sa.String(32)),
        sa.Column("state", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_agreements"),
        sa.ForeignKeyConstraint(["municipality"], ["organisations.id"], name="fk_agreements_municipality"),
        sa.ForeignKeyConstraint(["system"], ["systems.id"], name="fk_agreements_system"),
    )
    op.create_index("ix_agreements_system_municipality", "agreements", ["system", "municipality"])
    op.create_table(
        "agreement_steps",
        sa.Column("agreement", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("step", sa.String(20), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("by", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("agreement", "number", name="pk_agreement_steps"),
        sa.ForeignKeyConstraint(["agreement"], ["agreements.id"], name="fk_agreement_steps_agreement"),
    )
    policy_version = op.create_table(
        "policy_version",
        sa.Column("id", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_policy_version"),
    )
    # Its one row is there from the start, so that writers queue at it from the first one on.
    op.bulk_insert(policy_version, [{"id": 1, "version": 0}])
