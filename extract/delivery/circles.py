"""Circles in the database.

A circle is of a system and a municipality, so that an agreement that is renewed goes on with it.

A personal number is kept twice: as a keyed hash, by which it is found and compared, and encrypted (AES-GCM, bound to
the circle), so that the subscriber can be told whom it follows. Whoever reads the database without the key learns no
number, and cannot try numbers out.
"""

import hashlib
import hmac
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from extract.delivery.circle import Filter, FilterKind, Outcome, ensure_judged
from extract.delivery.circle_book import CircleBook, Entry
from extract.delivery.faults import CircleFull, CircleKeyInvalid
from extract.delivery.outbox_tables import CIRCLE_FILTERS, Database, text_of
from kernel import Clock, Grant

MOST: Final = 2_000_000
"""Filters of one agreement."""
KEPT_DAYS: Final = 60
"""How long a filter that was removed is remembered. Who was not told by then gets everything, marked so."""
_NONCE_BYTES: Final = 12

Exists = Callable[[Grant, str], bool]
"""Whether a person with that number is among those an agreement covers."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The key of the circles; 32 bytes. Two keys are made from it, so that hashes tell nothing about ciphers."""

    key: bytes

    def hashed(self, circle: str, number: str) -> str:
        """In each circle another one: two rows cannot be told to be of the same person."""
        return hmac.new(self._derived("hash"), f"{circle} {number}".encode(), hashlib.sha256).hexdigest()

    def sealed(self, circle: str, number: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._derived("seal")).encrypt(nonce, number.encode(), circle.encode())

    def opened(self, circle: str, sealed: bytes) -> str:
        """Raises CircleKeyInvalid."""
        try:
            cipher = AESGCM(self._derived("seal"))
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], circle.encode()).decode()
        except InvalidTag:
            raise CircleKeyInvalid(
                "the circles were kept under another key", remedy="put the instance's own secrets/circle.key back"
            ) from None

    def _derived(self, what: str) -> bytes:
        return hmac.new(self.key, f"circle {what}".encode(), hashlib.sha256).digest()


def circle_of(grant: Grant) -> str:
    """The name of the circle that an agreement speaks of."""
    return f"{grant.system} {grant.municipality_cvr}"


class Circles:
    """The door to circles. REST and the established SOAP service speak through it.

    exists   asked before a number is added
    """

    def __init__(self, database: Database, seal: Seal, exists: Exists, clock: Clock) -> None:
        self._database, self._seal, self._exists, self._clock = database, seal, exists, clock

    def add(self, grant: Grant, wanted: Filter) -> Outcome:
        """ADDED, ALREADY_EXISTED, or NON_EXISTING_PNR for nobody whom the agreement covers: those outside it and those
        who do not exist cannot be told apart.

        Raises ColumnsNotCovered, CircleFull.
        """
        ensure_judged(grant, wanted.kind)
        if wanted.kind is FilterKind.NUMBER and not self._exists(grant, wanted.value):
            return Outcome.NON_EXISTING_PNR
        circle, table = circle_of(grant), CIRCLE_FILTERS
        number = wanted.kind is FilterKind.NUMBER
        sealed = self._seal.sealed(circle, wanted.value) if number else None
        with self._changing(circle) as (db, now):
            found = db.execute(select(table.c.removed).where(*self._that(circle, wanted))).first()
            if found is not None and found.removed is None:
                return Outcome.ALREADY_EXISTED
            count = select(func.count()).select_from(table).where(table.c.circle == circle, table.c.removed.is_(None))
            if int(db.execute(count).scalar_one()) >= MOST:
                raise CircleFull(
                    f"the circle has {MOST:,} filters already",
                    remedy="remove those that nobody needs, or follow municipalities instead of numbers",
                    rule="circle.limit",
                    left=0,
                )
            if found is not None:
                again = update(table).where(*self._that(circle, wanted))
                db.execute(again.values(sealed=sealed, added=now, removed=None))
                return Outcome.ADDED
            value = self._kept(circle, wanted)
            db.execute(insert(table).values(circle=circle, kind=wanted.kind, value=value, sealed=sealed, added=now))
        return Outcome.ADDED

    def remove(self, grant: Grant, wanted: Filter) -> Outcome:
        """REMOVED, also when it was not there: the circle is as was asked. Of a number that was not there
        NON_EXISTING_PNR, as the established service says it.
        """
        circle = circle_of(grant)
        with self._changing(circle) as (db, now):
            standing = (*self._that(circle, wanted), CIRCLE_FILTERS.c.removed.is_(None))
            gone = db.execute(update(CIRCLE_FILTERS).where(*standing).values(removed=now)).rowcount
        return Outcome.NON_EXISTING_PNR if not gone and wanted.kind is FilterKind.NUMBER else Outcome.REMOVED

    def clear(self, grant: Grant, kind: FilterKind | None = None) -> int:
        """Remove all filters of a kind, or all; how many there were."""
        circle, table = circle_of(grant), CIRCLE_FILTERS
        standing = [table.c.circle == circle, table.c.removed.is_(None)]
        if kind is not None:
            standing.append(table.c.kind == kind)
        with self._changing(circle) as (db, now):
            return int(db.execute(update(table).where(*standing).values(removed=now)).rowcount)

    def forget(self) -> int:
        """Forget filters that were removed so long ago that nobody has to be told any more; how many."""
        before = text_of(self._clock.now() - timedelta(days=KEPT_DAYS))
        old = CIRCLE_FILTERS.c.removed < before
        with self._database.reading() as db:
            if db.execute(select(CIRCLE_FILTERS.c.removed).where(old).limit(1)).first() is None:
                return 0
        with self._database.writing() as db:
            return int(db.execute(delete(CIRCLE_FILTERS).where(old)).rowcount)

    def filters(self, grant: Grant) -> tuple[Filter, ...]:
        """All filters, numbers in clear. Raises CircleKeyInvalid."""
        book = self.book(grant)
        found = [
            Filter(each.kind, each.value if each.sealed is None else book.opened(each.sealed))
            for each in book.entries
            if each.removed is None
        ]
        return tuple(sorted(found, key=lambda each: (each.kind, each.value)))

    def book(self, grant: Grant) -> CircleBook:
        """All filters, those that were removed lately among them, of one moment."""
        circle, table = circle_of(grant), CIRCLE_FILTERS
        wanted = select(table.c.kind, table.c.value, table.c.sealed, table.c.added, table.c.removed)
        with self._database.reading() as db:
            found = db.execute(wanted.where(table.c.circle == circle)).all()
        return CircleBook(
            entries=tuple(Entry(FilterKind(kind), *rest) for kind, *rest in found),
            hashed=lambda number: self._seal.hashed(circle, number),
            opened=lambda sealed: self._seal.opened(circle, sealed),
        )

    def _kept(self, circle: str, wanted: Filter) -> str:
        if wanted.kind is FilterKind.NUMBER:
            return self._seal.hashed(circle, wanted.value)
        return wanted.value

    def _that(self, circle: str, wanted: Filter) -> tuple[ColumnElement[bool], ...]:
        table = CIRCLE_FILTERS
        return table.c.circle == circle, table.c.kind == wanted.kind, table.c.value == self._kept(circle, wanted)

    @contextmanager
    def _changing(self, circle: str) -> Iterator[tuple[Connection, str]]:
        """A transaction that is alone in changing a circle, and its moment: later than every change before it, also
        when a clock was set back.
        """
        table = CIRCLE_FILTERS
        with self._database.writing() as db:
            if db.dialect.name == "postgresql":
                # SQLite has one writer anyhow.
                db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"circle {circle}", 0))))
            mine = table.c.circle == circle
            moments = (
                db.execute(select(func.max(each)).where(mine)).scalar() for each in (table.c.added, table.c.removed)
            )
            last = max((each for each in moments if each is not None), default=None)
            now = self._clock.now()
            if last is not None:
                now = max(now, datetime.fromisoformat(last) + timedelta(microseconds=1))
            yield db, text_of(now)
