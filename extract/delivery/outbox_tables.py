"""The tables of subscriptions and deliveries. They lie in the control database's file; nobody else reads them.

Times are ISO 8601 text in UTC with microseconds, so that a comparison of texts is a comparison of times.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

ASKED_AT_ONCE: Final = 2_000
"""Values of one question to the database."""
METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

SUBSCRIPTIONS = Table(
    "subscriptions",
    METADATA,
    Column("id", String(36), primary_key=True),
    # Without foreign keys into the tables of `control`: they are another room's.
    Column("agreement", String(36), nullable=False, index=True),
    Column("system", String(36), nullable=False, index=True),
    Column("service", Text, nullable=False),
    Column("contents", Text, nullable=False),
    Column("schedule", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("confirm_within_s", Integer),
    # Code of the agreement's purpose that its deliveries count for.
    Column("purpose", Text),
    Column("state", String(20), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("created", String(32), nullable=False),
    Column("deliveries", Integer, nullable=False, server_default="0"),
    # The newest snapshot that was planned for, and where the consumer stands: by what has arrived.
    Column("reached", Integer),
    Column("cursor", Text),
    Column("planned", String(32)),
)

DELIVERIES = Table(
    "deliveries",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("subscription", String(36), ForeignKey("subscriptions.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("stage", String(20), nullable=False, default=""),
    Column("since", Text),
    Column("until", Integer, nullable=False),
    Column("cursor", Text),
    Column("why_full", Text, nullable=False, default=""),
    Column("extract", String(64)),
    Column("file", Text),
    Column("rows", Integer),
    # Larger than the plain integers of PostgreSQL: a register can have more than 2 GB.
    Column("size_bytes", BigInteger),
    Column("sha256", String(64)),
    # Of the manifest that was sent with it: the next one names it, so that a delivery that is missing shows.
    Column("manifest_sha256", String(64)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("round", Integer, nullable=False, server_default="0"),
    # How many rounds were counted against the agreement's limits.
    Column("counted", Integer, nullable=False, server_default="0"),
    Column("due", String(32), nullable=False),
    Column("lease_until", String(32)),
    Column("fence", Integer, nullable=False, server_default="0"),
    Column("fault", Text),
    Column("fault_code", Text),
    Column("planned", String(32), nullable=False),
    Column("sent", String(32)),
    Column("received", String(32)),
    Column("alarmed", String(32)),
    UniqueConstraint("subscription", "number", name="uq_deliveries_subscription_number"),
    Index("ix_deliveries_state_due", "state", "due"),
    Index("ix_deliveries_extract", "extract"),
)

DELIVERY_STEPS = Table(
    "delivery_steps",
    METADATA,
    # A number without gaps per delivery: a step that was taken out shows.
    Column("delivery", String(36), ForeignKey("deliveries.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("step", String(20), nullable=False),
    Column("state", String(20), nullable=False),
    Column("at", String(32), nullable=False),
    Column("note", Text, nullable=False),
)

ENDPOINTS = Table(
    "delivery_endpoints",
    METADATA,
    Column("endpoint", Text, primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("open_until", String(32)),
)

CIRCLES = Table(
    "circles",
    METADATA,
    Column("circle", String(64), primary_key=True),
    # How many filters stand: they are not counted each time that one is added.
    Column("standing", Integer, nullable=False),
    # Later than every earlier change; so one moment says how much of a circle a delivery knew.
    Column("changed", String(32), nullable=False),
)

CIRCLE_FILTERS = Table(
    "circle_filters",
    METADATA,
    Column("circle", String(64), primary_key=True),
    Column("kind", String(20), primary_key=True),
    # What it takes: a code, an age range; of a person the keyed hash of the number.
    Column("value", String(64), primary_key=True),
    # A filter that is added once more has another row: each is a stay.
    Column("added", String(32), primary_key=True),
    # The number itself, encrypted, so that the subscriber can be told whom it follows.
    Column("sealed", LargeBinary),
    # A filter that was removed is remembered, so that the subscriber can be told whom it follows no more.
    Column("removed", String(32)),
    Index("ix_circle_filters_circle_added", "circle", "added"),
    Index("ix_circle_filters_removed", "removed"),
)


@dataclass(frozen=True, slots=True)
class Database:
    """How the tables are reached: a transaction that reads one picture, and one that writes. Committed when the block
    ends well, else as if it never began.
    """

    reading: Callable[[], AbstractContextManager[Connection]]
    writing: Callable[[], AbstractContextManager[Connection]]


def text_of(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def moment_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
