"""One change of one circle, in a transaction that is alone in changing it.

How many filters stand, and when the circle was last changed, is written beside it: a change costs what it changes,
however large the circle is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from extract.delivery.circle import FilterKind
from extract.delivery.faults import CircleFull
from extract.delivery.outbox_tables import ASKED_AT_ONCE, CIRCLE_FILTERS, CIRCLES, text_of

MOST: Final = 2_000_000
"""Filters of one circle."""

Kept = tuple[FilterKind, str]
"""A filter as the database knows it: of a number the keyed hash."""


@dataclass(slots=True)
class CircleChange:
    """now     later than every change of the circle before it, also when a clock was set back
    known   whether the circle has been changed before
    count   of the filters that stand
    """

    db: Connection
    circle: str
    now: str
    known: bool
    count: int
    changed: bool = False

    @classmethod
    def begun(cls, db: Connection, circle: str, now: datetime) -> Self:
        if db.dialect.name == "postgresql":
            # SQLite has one writer anyhow.
            db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"circle {circle}", 0))))
        found = db.execute(select(CIRCLES.c.standing, CIRCLES.c.changed).where(CIRCLES.c.circle == circle)).first()
        if found is None:
            return cls(db, circle, text_of(now), known=False, count=0)
        later = max(now, datetime.fromisoformat(found.changed) + timedelta(microseconds=1))
        return cls(db, circle, text_of(later), known=True, count=found.standing)

    def standing(self, among: Collection[Kept]) -> frozenset[Kept]:
        """Those of some filters that stand."""
        value, found = CIRCLE_FILTERS.c.value, set[Kept]()
        for kind, values in _by_kind(among).items():
            for some in values:
                asked = select(value).where(*self._mine(), CIRCLE_FILTERS.c.kind == kind, value.in_(some))
                found.update((kind, each) for each in self.db.execute(asked).scalars())
        return frozenset(found)

    def begin(self, filters: Mapping[Kept, bytes | None]) -> None:
        """Filters that do not stand, with what is encrypted of each, begin to. Raises CircleFull."""
        if not filters:
            return
        if self.count + len(filters) > MOST:
            raise CircleFull(
                f"the circle has {self.count:,} filters already, and {MOST:,} are the most",
                remedy="remove those that nobody needs, or follow municipalities instead of numbers",
                rule="circle.limit",
                left=MOST - self.count,
            )
        rows = [
            {"circle": self.circle, "kind": kind, "value": value, "sealed": sealed, "added": self.now}
            for (kind, value), sealed in filters.items()
        ]
        self.db.execute(insert(CIRCLE_FILTERS), rows)
        self._changed_by(len(rows))

    def end(self, filters: Collection[Kept]) -> None:
        """Filters that stand stand no more."""
        for kind, values in _by_kind(filters).items():
            for some in values:
                self._end(CIRCLE_FILTERS.c.kind == kind, CIRCLE_FILTERS.c.value.in_(some))

    def end_all(self, kind: FilterKind | None) -> int:
        """All of a kind, or all, stand no more; how many those were."""
        return self._end(*(() if kind is None else (CIRCLE_FILTERS.c.kind == kind,)))

    def settle(self) -> None:
        """The last word before the transaction is committed."""
        if not self.changed:
            return
        values = {"standing": self.count, "changed": self.now}
        if self.known:
            self.db.execute(update(CIRCLES).where(CIRCLES.c.circle == self.circle).values(**values))
        else:
            self.db.execute(insert(CIRCLES).values(circle=self.circle, **values))

    def _end(self, *those: ColumnElement[bool]) -> int:
        gone = self.db.execute(update(CIRCLE_FILTERS).where(*self._mine(), *those).values(removed=self.now)).rowcount
        self._changed_by(-gone)
        return int(gone)

    def _changed_by(self, count: int) -> None:
        self.count += count
        self.changed = self.changed or count != 0

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return CIRCLE_FILTERS.c.circle == self.circle, CIRCLE_FILTERS.c.removed.is_(None)


def _by_kind(filters: Collection[Kept]) -> dict[FilterKind, list[list[str]]]:
    """Values of each kind, as many at a time as a question takes."""
    found: dict[FilterKind, list[str]] = {}
    for kind, value in filters:
        found.setdefault(kind, []).append(value)
    return {
        kind: [values[start : start + ASKED_AT_ONCE] for start in range(0, len(values), ASKED_AT_ONCE)]
        for kind, values in found.items()
    }
