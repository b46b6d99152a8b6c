"""The tables of the control database. They work alike on SQLite and PostgreSQL; times are ISO 8601 text in UTC.

Text, because SQLite has no time type, and a comparison of ISO texts in one zone is a comparison of times.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

ORGANISATIONS = Table(
    "organisations",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("cvr", String(8), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Column("state", String(20), nullable=False, server_default="confirmed"),
    Column("email", Text),
    # A municipality's: what "own municipality" means in its agreements.
    Column("code", String(4)),
    Index("uq_organisations_code", "code", unique=True),
    CheckConstraint("kind IN ('supplier', 'municipality', 'operator')", name="kind"),
)

SYSTEMS = Table(
    "systems",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organisation", String(36), ForeignKey("organisations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("contact", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Column("endpoints", Text, nullable=False, server_default="[]"),
    Column("retired", String(32)),
    UniqueConstraint("organisation", "name", name="uq_systems_organisation_name"),
)

CERTIFICATES = Table(
    "certificates",
    METADATA,
    # One fingerprint belongs to one system, for ever: a certificate that changed hands would speak for two.
    Column("fingerprint", String(64), primary_key=True),
    Column("system", String(36), ForeignKey("systems.id"), nullable=False, index=True),
    Column("issuer", Text, nullable=False),
    Column("serial", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("valid_from", String(32), nullable=False),
    Column("valid_to", String(32), nullable=False),
    Column("bound", String(32), nullable=False),
    Column("revoked", String(32)),
)

SSH_KEYS = Table(
    "ssh_keys",
    METADATA,
    Column("fingerprint", String(64), primary_key=True),
    Column("system", String(36), ForeignKey("systems.id"), nullable=False, index=True),
    Column("public_key", Text, nullable=False),
    Column("bound", String(32), nullable=False),
    Column("revoked", String(32)),
)

AGREEMENTS = Table(
    "agreements",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("municipality", String(36), ForeignKey("organisations.id"), nullable=False),
    Column("system", String(36), ForeignKey("systems.id"), nullable=False),
    Column("terms", Text, nullable=False),
    Column("terms_hash", String(64), nullable=False),
    Column("valid_from", String(32), nullable=False),
    Column("valid_to", String(32)),
    Column("state", String(20), nullable=False),
    Column("replaces", String(36)),
    Column("delegation", String(36)),
    # When it ends because another took its place; the deed in `terms` stays as it was written.
    Column("replaced", String(32)),
    Index("ix_agreements_system_municipality", "system", "municipality"),
)

AGREEMENT_STEPS = Table(
    "agreement_steps",
    METADATA,
    # A number without gaps per agreement: a step that was taken out shows.
    Column("agreement", String(36), ForeignKey("agreements.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("step", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("by", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("note", Text, nullable=False),
)

USERS = Table(
    "users",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organisation", String(36), ForeignKey("organisations.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("roles", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Column("ended", String(32)),
    UniqueConstraint("organisation", "email", name="uq_users_organisation_email"),
)

USER_CERTIFICATES = Table(
    "user_certificates",
    METADATA,
    Column("fingerprint", String(64), primary_key=True),
    Column("user", String(36), ForeignKey("users.id"), nullable=False),
    Column("valid_from", String(32), nullable=False),
    Column("valid_to", String(32), nullable=False),
    Column("bound", String(32), nullable=False),
    Column("revoked", String(32)),
)

PROCESSING_AGREEMENTS = Table(
    "processing_agreements",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("municipality", String(36), ForeignKey("organisations.id"), nullable=False),
    Column("reference", Text, nullable=False),
    Column("document_sha256", String(64), nullable=False),
    Column("valid_from", String(32), nullable=False),
    Column("valid_to", String(32)),
    Column("recorded", String(32), nullable=False),
    Column("recorded_by", Text, nullable=False),
)

NOTICES = Table(
    "notices",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("organisation", String(36), ForeignKey("organisations.id"), nullable=False, index=True),
    Column("roles", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("at", String(32), nullable=False),
    Column("read", String(32)),
    Column("mailed", String(32)),
    # What a reminder is about and which one it is: it is told once, however often it falls due.
    Column("reminder", String(200)),
    Index("uq_notices_reminder", "reminder", unique=True),
)

MAILS = Table(
    "mails",
    METADATA,
    # One for each notice and whom it goes to: a user's id, or the organisation's.
    Column("notice", String(36), ForeignKey("notices.id"), primary_key=True),
    Column("recipient", String(36), primary_key=True),
    # Written before the mail server is asked: what may have been sent is not sent again.
    Column("sent", String(32)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next", String(32)),
    Column("given_up", String(32)),
    Column("error", Text),
)

DELEGATIONS = Table(
    "delegations",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("municipality", String(36), ForeignKey("organisations.id"), nullable=False),
    Column("supplier", String(36), ForeignKey("organisations.id"), nullable=False),
    Column("services", Text, nullable=False),
    Column("valid_from", String(32), nullable=False),
    Column("valid_to", String(32)),
    Column("given_by", Text, nullable=False),
    Column("withdrawn", String(32)),
)

TRIALS = Table(
    "trials",
    METADATA,
    Column("system", String(36), ForeignKey("systems.id"), primary_key=True),
    Column("passed", String(32), nullable=False),
    Column("trace", String(32), nullable=False),
    Column("service", Text, nullable=False),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("actor", Text, nullable=False),
    # Without a foreign key: the trail outlives what it tells of.
    Column("organisation", String(36), nullable=False),
    Column("address", Text, nullable=False),
    Column("verb", String(40), nullable=False),
    Column("about", Text, nullable=False, index=True),
    Column("details", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)

REPEATS = Table(
    "repeats",
    METADATA,
    Column("actor", String(40), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("at", String(32), nullable=False, index=True),
    # Together, or none of them: the answer to the first of the requests.
    Column("status", Integer),
    Column("location", Text),
    Column("body", Text),
)

SHARING_TOKENS = Table(
    "sharing_tokens",
    METADATA,
    Column("id", String(36), primary_key=True),
    # Of the token itself, which is shown once and kept nowhere.
    Column("hash", String(64), nullable=False, unique=True),
    Column("agreement", String(36), ForeignKey("agreements.id"), nullable=False, index=True),
    Column("system", String(36), ForeignKey("systems.id"), nullable=False),
    Column("made", String(32), nullable=False),
    Column("expires", String(32), nullable=False),
    Column("revoked", String(32)),
    # With which a system made it for itself: it ends with that one.
    Column("certificate", String(64)),
)

POLICY_VERSION = Table(
    "policy_version",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
)

ENVIRONMENT = Table(
    "environment",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", String(16), nullable=False),
)
"""One row: which environment the database was made for."""
