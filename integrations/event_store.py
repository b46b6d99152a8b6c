"""Subscriptions to change feeds, in tables of their own in the control database's file; nobody else reads them."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    Column,
    Connection,
    Index,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from integrations.errors import EventSubscriptionLimit, EventSubscriptionUnknown
from kernel import AgreementId, ServiceName, SystemId, new_id

METADATA = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"})
SUBSCRIPTIONS = Table(
    "event_subscriptions",
    METADATA,
    Column("id", String(36), primary_key=True),
    # Without foreign keys into the tables of `control`: they are another room's.
    Column("system", String(36), nullable=False),
    Column("agreement", String(36), nullable=False),
    Column("service", Text, nullable=False),
    Column("filter", Text, nullable=False),
    Column("watched", Text, nullable=False),
    Column("view", String(64), nullable=False),
    Column("cursor", Text, nullable=False),
    Column("created", String(32), nullable=False),
    Index("ix_event_subscriptions_system", "system"),
)
MOST: Final = 100
"""Subscriptions of one system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventSubscription:
    """where    column -> values that a row may hold in it, to be told of
    watched  columns whose changes are told
    view     hash of what the agreement showed when it was made, `where` and `watched` with it
    cursor   up to where the subscriber has what was told
    """

    id: str
    system: SystemId
    agreement: AgreementId
    service: ServiceName
    where: Mapping[str, frozenset[str]]
    watched: tuple[str, ...]
    view: str
    cursor: str
    created: datetime


@dataclass(frozen=True, slots=True)
class EventSubscriptions:
    """reading, writing   transactions on the database; may block"""

    reading: Callable[[], AbstractContextManager[Connection]]
    writing: Callable[[], AbstractContextManager[Connection]]

    def add(
        self, *, system: SystemId, agreement: AgreementId, service: ServiceName, where: Mapping[str, frozenset[str]],
        watched: tuple[str, ...], view: str, cursor: str, at: datetime,
    ) -> EventSubscription:  # fmt: skip
        """Raises EventSubscriptionLimit."""
        made = EventSubscription(
            id=new_id(), system=system, agreement=agreement, service=service, where=where, watched=watched, view=view,
            cursor=cursor, created=at,
        )  # fmt: skip
        with self.writing() as db:
            held = select(func.count()).select_from(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.system == system)
            if int(db.execute(held).scalar_one()) >= MOST:
                raise EventSubscriptionLimit(
                    f"the system has {MOST} subscriptions to events already",
                    remedy="end those that nobody needs",
                    rule="events.limit",
                    left=0,
                )
            values = {name: getattr(made, name) for name in ("id", "system", "agreement", "service", "view", "cursor")}
            told = {column: sorted(each) for column, each in where.items()}
            values |= {"filter": json.dumps(told), "watched": json.dumps(watched)}
            db.execute(insert(SUBSCRIPTIONS).values(**values, created=at.astimezone(UTC).isoformat()))
        return made

    def get(self, subscription: str, system: SystemId, service: ServiceName) -> EventSubscription:
        """Raises EventSubscriptionUnknown, also for one of another system."""
        with self.reading() as db:
            row = db.execute(select(SUBSCRIPTIONS).where(*_whose(subscription, system, service))).mappings().first()
        if row is None:
            raise _unknown()
        return _of(row)

    def listed(self, system: SystemId, service: ServiceName) -> tuple[EventSubscription, ...]:
        """Oldest first."""
        wanted = select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.system == system, SUBSCRIPTIONS.c.service == service)
        with self.reading() as db:
            return tuple(_of(row) for row in db.execute(wanted.order_by(SUBSCRIPTIONS.c.id)).mappings())

    def confirm(self, subscription: str, cursor: str) -> None:
        with self.writing() as db:
            db.execute(update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == subscription).values(cursor=cursor))

    def end(self, subscription: str, system: SystemId, service: ServiceName) -> None:
        """Raises EventSubscriptionUnknown."""
        with self.writing() as db:
            if not db.execute(delete(SUBSCRIPTIONS).where(*_whose(subscription, system, service))).rowcount:
                raise _unknown()


def _whose(subscription: str, system: SystemId, service: ServiceName) -> tuple[Any, ...]:
    columns = SUBSCRIPTIONS.c
    return columns.id == subscription, columns.system == system, columns.service == service


def _of(row: RowMapping) -> EventSubscription:
    return EventSubscription(
        id=row["id"],
        system=row["system"],
        agreement=row["agreement"],
        service=row["service"],
        where={column: frozenset(values) for column, values in json.loads(row["filter"]).items()},
        watched=tuple(json.loads(row["watched"])),
        view=row["view"],
        cursor=row["cursor"],
        created=datetime.fromisoformat(row["created"]),
    )


def _unknown() -> EventSubscriptionUnknown:
    return EventSubscriptionUnknown(
        "the system has no such subscription to this service", remedy="GET .../subscriptions lists those that it has"
    )
