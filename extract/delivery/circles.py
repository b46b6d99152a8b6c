"""Circles in the database.

A circle is of a system and a municipality, so that an agreement that is renewed goes on with it. How its numbers are
kept is told in `circle_numbers`.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select

from extract.delivery.circle import Filter, FilterKind, Outcome, ensure_judged
from extract.delivery.circle_book import CircleBook, Entry
from extract.delivery.circle_change import CircleChange, Kept
from extract.delivery.circle_numbers import KeptNumbers, Seal
from extract.delivery.outbox_tables import CIRCLE_FILTERS, CIRCLES, Database, moment_of, text_of
from kernel import Clock, Grant

KEPT_DAYS: Final = 60
"""How long a filter that was removed is remembered. Who was not told by then gets everything, marked so."""

Exists = Callable[[Grant, frozenset[str]], frozenset[str]]
"""Those of some personal numbers whose persons are among those an agreement covers."""


def circle_of(grant: Grant) -> str:
    """The name of the circle that an agreement speaks of."""
    return f"{grant.system} {grant.municipality_cvr}"


class Circles:
    """The door to circles. REST and the established SOAP service speak through it.

    exists   asked before numbers are added
    """

    def __init__(self, database: Database, seal: Seal, exists: Exists, clock: Clock) -> None:
        self._database, self._seal, self._exists, self._clock = database, seal, exists, clock

    def add(self, grant: Grant, wanted: Filter) -> Outcome:
        """Raises as `change`."""
        return self.change(grant, add=(wanted,))[0][0]

    def remove(self, grant: Grant, wanted: Filter) -> Outcome:
        return self.change(grant, remove=(wanted,))[1][0]

    def change(
        self, grant: Grant, *, add: Sequence[Filter] = (), remove: Sequence[Filter] = ()
    ) -> tuple[list[Outcome], list[Outcome]]:
        """Add filters, then remove others, as one change: all of it, or nothing when it raises. What became of each.

        Of one to add: ADDED, ALREADY_EXISTED, or NON_EXISTING_PNR for nobody whom the agreement covers: those outside
        it and those who do not exist cannot be told apart. Of one to remove: REMOVED, also when it was not there: the
        circle is as was asked. Of a number that was not there NON_EXISTING_PNR, as the established service says it.

        What it costs does not depend on how large the circle is. Raises ColumnsNotCovered, CircleFull.
        """
        for kind in {each.kind for each in add}:
            ensure_judged(grant, kind)
        circle = circle_of(grant)
        asked = frozenset(each.value for each in add if each.kind is FilterKind.NUMBER)
        there = self._exists(grant, asked) if asked else frozenset()
        kept = {each: self._kept(circle, each) for each in (*add, *remove)}
        with self._changing(circle) as change:
            draft = _Draft(change.standing(kept.values()))
            added = [
                Outcome.NON_EXISTING_PNR
                if each.kind is FilterKind.NUMBER and each.value not in there
                else draft.add(kept[each], each)
                for each in add
            ]
            removed = [draft.remove(kept[each]) for each in remove]
            change.begin({key: self._sealed(circle, each) for key, each in draft.came.items()})
            change.end(draft.gone)
        return added, removed

    def clear(self, grant: Grant, kind: FilterKind | None = None) -> int:
        """Remove all filters of a kind, or all; how many there were."""
        with self._changing(circle_of(grant)) as change:
            return change.end_all(kind)

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
        circle, table = circle_of(grant), CIRCLE_FILTERS
        mine = select(table.c.kind, table.c.value, table.c.sealed)
        with self._database.reading() as db:
            found = db.execute(mine.where(table.c.circle == circle, table.c.removed.is_(None))).all()
        shown = (
            Filter(FilterKind(kind), value if sealed is None else self._seal.opened(circle, sealed))
            for kind, value, sealed in found
        )
        return tuple(sorted(shown, key=lambda each: (each.kind, each.value)))

    def book(self, grant: Grant) -> CircleBook:
        """The circle as of now, and as it was lately. Changes that come later are not in it."""
        circle, table = circle_of(grant), CIRCLE_FILTERS
        others = select(table.c.kind, table.c.value, table.c.added, table.c.removed).where(
            table.c.circle == circle, table.c.kind.in_([each for each in FilterKind if each is not FilterKind.NUMBER])
        )
        with self._database.reading() as db:
            changed = db.execute(select(CIRCLES.c.changed).where(CIRCLES.c.circle == circle)).scalar()
            found = db.execute(others).all()
        return CircleBook(
            changed=moment_of(changed),
            entries=tuple(Entry(FilterKind(kind), *rest) for kind, *rest in found),
            numbers=KeptNumbers(self._database, self._seal, circle),
        )

    def _kept(self, circle: str, wanted: Filter) -> Kept:
        number = wanted.kind is FilterKind.NUMBER
        return wanted.kind, self._seal.hashed(circle, wanted.value) if number else wanted.value

    def _sealed(self, circle: str, wanted: Filter) -> bytes | None:
        return self._seal.sealed(circle, wanted.value) if wanted.kind is FilterKind.NUMBER else None

    @contextmanager
    def _changing(self, circle: str) -> Iterator[CircleChange]:
        with self._database.writing() as db:
            change = CircleChange.begun(db, circle, self._clock.now())
            yield change
            change.settle()


@dataclass(slots=True)
class _Draft:
    """What a change comes to.

    standing   of the filters that it names those that stand before it
    """

    standing: frozenset[Kept]
    came: dict[Kept, Filter] = field(default_factory=dict)
    gone: set[Kept] = field(default_factory=set)

    def add(self, kept: Kept, wanted: Filter) -> Outcome:
        if kept in self.standing or kept in self.came:
            return Outcome.ALREADY_EXISTED
        self.came[kept] = wanted
        return Outcome.ADDED

    def remove(self, kept: Kept) -> Outcome:
        if self.came.pop(kept, None) is None:
            if kept[0] is FilterKind.NUMBER and (kept not in self.standing or kept in self.gone):
                return Outcome.NON_EXISTING_PNR
            if kept in self.standing:
                self.gone.add(kept)
        return Outcome.REMOVED
