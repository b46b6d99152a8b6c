"""Users, states of organisations, data-processing agreements, notices, delegations, retired systems, trials."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Who was there before was registered by the operator.
    op.add_column("organisations", sa.Column("state", sa.String(20), nullable=False, server_default="confirmed"))
    op.add_column("organisations", sa.Column("email", sa.Text))
    op.add_column("systems", sa.Column("endpoints", sa.Text, nullable=False, server_default="[]"))
    op.add_column("systems", sa.Column("retired", sa.String(32)))
    op.add_column("agreements", sa.Column("replaces", sa.String(36)))
    op.add_column("agreements", sa.Column("delegation", sa.String(36)))
    op.create_table(
        "users",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("organisation", sa.String(36), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("created", sa.String(32), nullable=False),
        sa.Column("ended", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name="fk_users_organisation"),
        sa.UniqueConstraint("organisation", "email", name="uq_users_organisation_email"),
    )
    op.create_table(
        "user_certificates",
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("user", sa.String(36), nullable=False),
        sa.Column("valid_from", sa.String(32), nullable=False),
        sa.Column("valid_to", sa.String(32), nullable=False),
        sa.Column("bound", sa.String(32), nullable=False),
        sa.Column("revoked", sa.String(32)),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_user_certificates"),
        sa.ForeignKeyConstraint(["user"], ["users.id"], name="fk_user_certificates_user"),
    )
    op.create_table(
        "processing_agreements",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("municipality", sa.String(36), nullable=False),
        sa.Column("reference", sa.Text, nullable=False),
        sa.Column("document_sha256", sa.String(64), nullable=False),
        sa.Column("valid_from", sa.String(32), nullable=False),
        sa.Column("valid_to", sa.String(32)),
        sa.Column("recorded", sa.String(32), nullable=False),
        sa.Column("recorded_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_processing_agreements"),
        sa.ForeignKeyConstraint(["municipality"], ["organisations.id"], name="fk_processing_agreements_municipality"),
    )
    op.create_table(
        "notices",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("organisation", sa.String(36), nullable=False),
        sa.Column("roles", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("about", sa.Text, nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("read", sa.String(32)),
        sa.Column("mailed", sa.String(32)),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("id", name="pk_notices"),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.id"], name="fk_notices_organisation"),
    )
    op.create_index("ix_notices_organisation", "notices", ["organisation"])
    op.create_table(
        "delegations",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("municipality", sa.String(36), nullable=False),
        sa.Column("supplier", sa.String(36), nullable=False),
        sa.Column("services", sa.Text, nullable=False),
        sa.Column("valid_from", sa.String(32), nullable=False),
        sa.Column("valid_to", sa.String(32)),
        sa.Column("given_by", sa.Text, nullable=False),
        sa.Column("withdrawn", sa.String(32)),
        sa.PrimaryKeyConstraint("id", name="pk_delegations"),
        sa.ForeignKeyConstraint(["municipality"], ["organisations.id"], name="fk_delegations_municipality"),
        sa.ForeignKeyConstraint(["supplier"], ["organisations.id"], name="fk_delegations_supplier"),
    )
    op.create_table(
        "trials",
        sa.Column("system", sa.String(36), nullable=False),
        sa.Column("passed", sa.String(32), nullable=False),
        sa.Column("trace", sa.String(32), nullable=False),
        sa.Column("service", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("system", name="pk_trials"),
        sa.ForeignKeyConstraint(["system"], ["systems.id"], name="fk_trials_system"),
    )
    # What happened cannot be rewritten, whatever program asks the database to.
    for table in ("agreement_steps", "audit"):
        for deed in ("UPDATE", "DELETE"):
            _forbid(table, deed)


def _forbid(table: str, deed: str) -> None:
    name = f"{table}_no_{deed.lower()}"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{table} is history: it is not rewritten'; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
        return
    op.execute(
        f"CREATE TRIGGER {name} BEFORE {deed} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is history: it is not rewritten'); END"
    )
