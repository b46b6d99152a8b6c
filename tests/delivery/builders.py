"""A database of deliveries, a clock that a test moves, parcels and receivers."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from control import Role
from control.engine import open_engine, reading, writing
from control.notices.store import load_notices, tell
from control.tables import ORGANISATIONS
from extract import Format
from extract.delivery.courier import Courier
from extract.delivery.faults import QuotaUsedUp
from extract.delivery.notices import Notice
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_patience import Patience
from extract.delivery.outbox_rows import Delivery
from extract.delivery.outbox_tables import Database, text_of
from extract.delivery.parcel import Handover, Parcel, Sender
from extract.delivery.quota import Quota
from extract.delivery.schedule import Schedule
from extract.delivery.subscription import Contents, Kind, Subscription, Wish
from extract.delivery.subscriptions import Subscriptions
from extract.delivery.targets import Shelf, Target
from kernel import AgreementId, Grant, Observation, OrganisationId, PlatformError, ServiceName, SnapshotId, SystemId
from runtime.migrations import upgrade
from tests.extract.builders import SERVICE, grant

OWNER = OrganisationId("organisation-1")
NOW = datetime(2031, 3, 10, 6, 0, tzinfo=UTC)


@dataclass
class TestClock:
    at: datetime = NOW

    def now(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def working_day(day: date) -> bool:
    return day.weekday() < 5


@contextmanager
def database(folder: Path) -> Iterator[Database]:
    url = f"sqlite:///{folder / 'control.sqlite'}"
    upgrade(url)
    with database_at(url) as found:
        yield found


@contextmanager
def database_at(url: str) -> Iterator[Database]:
    engine = open_engine(url)
    try:
        yield Database(partial(reading, engine), partial(writing, engine))
    finally:
        engine.dispose()


def wish(target: Target | None = None, kind: Kind = Kind.CHANGES, schedule: str = "publication", **more: Any) -> Wish:
    return Wish(
        agreement=AgreementId("agreement-1"),
        system=SystemId(more.pop("system", "system-1")),
        service=ServiceName(SERVICE),
        contents=Contents(kind=kind, format=Format.CSV),
        schedule=Schedule.of(schedule),
        target=target or Shelf(),
        **more,
    )


def a_parcel(folder: Path, content: bytes = b"a,b\r\n1,2\r\n", name: str = "town.csv", **more: Any) -> Parcel:
    digest = hashlib.sha256(content).hexdigest()
    path = folder / digest
    path.write_bytes(content)
    told = {
        "delivery": "01890000-0000-7000-8000-000000000001",
        "name": name,
        "path": path,
        "extract": digest,
        "snapshot": SnapshotId(7),
        "rows": 1,
        "size_bytes": len(content),
        "sha256": digest,
        "media_type": "text/csv",
        "manifest": b'{"rows": 1}\n',
        "cursor": "7",
        "published": NOW,
    }
    return Parcel(**{**told, **more})


def handover(*, placed: bool = False, placing: list[str] | None = None) -> Handover:
    """placing   hears of each call of `place`"""
    said = [] if placing is None else placing
    return Handover(lambda: None, lambda: said.append("placed"), placed)


class NoLimits:
    """An agreement without limits."""

    def refusal(self, subscription: Subscription, given: Grant) -> PlatformError | None:
        return None

    def count(self, subscription: Subscription, given: Grant) -> PlatformError | None:
        return None


@dataclass
class Calls:
    """left      how many are left
    counted   how many were counted
    faster    whether others take the last one between looking and counting
    """

    left: int
    counted: int = 0
    faster: bool = False

    def refusal(self, subscription: Subscription, given: Grant) -> PlatformError | None:
        return None if self.left else QuotaUsedUp("the calls are used up", remedy="wait", retry_after_s=86_400)

    def count(self, subscription: Subscription, given: Grant) -> PlatformError | None:
        if self.faster:
            self.left, self.faster = 0, False
        if (refusal := self.refusal(subscription, given)) is None:
            self.left -= 1
            self.counted += 1
        return refusal


@dataclass
class Desk:
    """An outbox, its subscriptions and a courier whose file and sender a test chooses.

    refusal   what the agreement says, when it says no
    trouble   what sending fails with, in turn; None goes well
    """

    folder: Path
    database: Database
    clock: TestClock = field(default_factory=TestClock)
    patience: Patience = field(default_factory=Patience)
    refusal: Exception | None = None
    trouble: list[Exception | None] = field(default_factory=list)
    sent: list[Parcel] = field(default_factory=list)
    shelved: list[Delivery] = field(default_factory=list)
    facts: list[Observation] = field(default_factory=list)
    content: bytes = b"a,b\r\n1,2\r\n"
    carries: bool = True
    quota: Quota = field(default_factory=NoLimits)

    @property
    def notices(self) -> list[tuple[str, str]]:
        """What stands in the inbox, oldest first: subjects and texts."""
        with self.database.reading() as db:
            return [(each.subject, each.text) for each in load_notices(db, OWNER)]

    def tell(self, db: Connection, subscription: Subscription, notice: Notice) -> None:
        """Into the inbox."""
        if db.execute(select(ORGANISATIONS.c.id)).first() is None:
            owner = {"id": OWNER, "kind": "supplier", "cvr": "11111111", "name": "Owner", "created": text_of(NOW)}
            db.execute(insert(ORGANISATIONS).values(owner))
        tell(
            db, to=OWNER, roles=frozenset({Role.USER}), subject=notice.subject, text=notice.text,
            about=f"subscription {subscription.id}", at=self.clock.now(),
        )  # fmt: skip

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.database, self.clock, self.patience)

    @property
    def subscriptions(self) -> Subscriptions:
        return Subscriptions(self.database, self.clock, working_day)

    @property
    def courier(self) -> Courier:
        return Courier(
            outbox=self.outbox,
            subscriptions=self.subscriptions,
            grant_of=self._grant,
            make=self._make,
            quota=self.quota,
            sender_of=self._sender,
            tell=self.tell,
            observe=self.facts.append,
            clock=self.clock,
        )

    def _grant(self, subscription: Subscription) -> Grant:
        if self.refusal is not None:
            raise self.refusal
        return grant()

    def _make(self, subscription: Subscription, given: Grant, delivery: Delivery, alive: Any) -> Parcel:
        content = self.content + f"{delivery.until}\r\n".encode()
        return a_parcel(
            self.folder,
            content,
            f"{delivery.number}.csv",
            on_shelf=lambda: self.shelved.append(delivery),
            delivery=delivery.id,
            round=delivery.round,
            snapshot=SnapshotId(delivery.until),
            cursor=str(delivery.until),
        )

    def _sender(self, subscription: Subscription, given: Grant) -> Sender | None:
        return None if isinstance(subscription.wish.target, Shelf) else FakeSender(self)


@dataclass(frozen=True)
class FakeSender:
    desk: Desk

    @property
    def carries(self) -> bool:
        return self.desk.carries

    def send(self, parcel: Parcel, handover: Handover) -> bool:
        # Several may send at once.
        with suppress(IndexError):
            if (trouble := self.desk.trouble.pop(0)) is not None:
                raise trouble
        handover.place()
        self.desk.sent.append(parcel)
        return False


def run_courier(folder: Path, how: str) -> int:
    """A courier in a process of its own, see `killed_courier`; how it ended."""
    command = [sys.executable, "-m", "tests.delivery.killed_courier", str(folder), how]
    return subprocess.run(command, check=False, timeout=300).returncode
