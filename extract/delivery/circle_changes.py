"""What a circle's next file tells: two pictures compared, whom the subscriber followed and whom it follows now.

Whoever is followed and has changed, or is followed since, is told with all that the agreement shows. Whoever is
followed no more is told by number alone, once: moved out of what the agreement covers, out of a municipality that is
followed, too old, gone from the register, or because the filter was removed. Where such a person went is not told.

An event filter follows events, not persons: that nothing of the kind happened to somebody again ends nothing. Whom
such a filter brought is told to be gone when that person's newest record before had the event.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from extract.cursor import Cursor
from extract.delivery.circle import JUDGED_BY, KEY, Circle, FilterKind, birthdays
from extract.delivery.circle_book import CircleBook
from extract.plan import ExtractPlan
from extract.production import Scan
from replica import OPERATION

AT_ONCE: Final = 20_000
"""Persons looked at together: a set of keys that fits in any memory."""

_BORN: Final = JUDGED_BY[FilterKind.AGE]
_PLACE: Final = JUDGED_BY[FilterKind.MUNICIPALITY]

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Known:
    """What the delivery before knew.

    since     the extract that it was made of
    changed   when the circle was last changed, then
    day       on which ages were judged
    """

    since: Cursor
    changed: datetime
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One person of the file.

    row   everything that is shown; None of somebody who is followed no more
    """

    key: str
    row: Row | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleChanges:
    """plan    what the agreement shows: changes since the delivery before, or everything
    day     on which ages are judged
    known   None: everybody in the circle is new, and nobody is told to be gone
    """

    scan: Scan
    plan: ExtractPlan
    book: CircleBook
    day: date
    known: Known | None

    def told(self, alive: Callable[[], None]) -> Iterator[Told]:
        """Each person once; those who are gone last, by number. `alive` is called often, also when nobody is told."""
        if self.known is None:
            yield from self._new(self.book.now, set(), None, alive)
        else:
            yield from self._compared(self.known, alive)

    def _compared(self, known: Known, alive: Callable[[], None]) -> Iterator[Told]:
        circle, before = self.book.now, self.book.at(known.changed)
        written: set[str] = set()
        perhaps: set[str] = set()
        for row in self._rows(self.plan, alive):
            if row[OPERATION] != "delete" and circle.takes(row, self.day):
                written.add(row[KEY])
                yield Told(key=row[KEY], row=row)
            else:
                perhaps.add(row[KEY])
        for row in self._birthdays(known, circle, before, alive):
            if not circle.takes(row, self.day):
                perhaps.add(row[KEY])
            elif row[KEY] not in written and not before.takes(row, known.day):
                written.add(row[KEY])
                yield Told(key=row[KEY], row=row)
        came = self.book.came(known.changed)
        yield from self._new(came, written, known.changed, alive)
        for keys in _batched(self._candidates(known, perhaps, alive)):
            yield from (Told(key=each, row=None) for each in self._gone(known, frozenset(keys), circle, before, alive))

    def _new(
        self, circle: Circle, written: set[str], after: datetime | None, alive: Callable[[], None]
    ) -> Iterator[Told]:
        """Who is followed since a moment, or at all (None), and is not written yet."""
        if circle.empty:
            return
        for narrowed in self._narrowed(circle, after):
            for row in self._rows(narrowed, alive):
                if row[KEY] not in written and circle.takes(row, self.day):
                    written.add(row[KEY])
                    yield Told(key=row[KEY], row=row)

    def _birthdays(self, known: Known, circle: Circle, before: Circle, alive: Callable[[], None]) -> Iterator[Row]:
        """Who came into an age or grew out of it although nobody delivered anything."""
        born = birthdays((*circle.ages, *before.ages), known.day, self.day)
        if not born or _BORN not in self.plan.columns:
            return
        narrow = replace(self._whole, columns=(KEY, _BORN))
        days, found = pa.array(sorted(born), pa.date32()), set[str]()
        for batch in self.scan(narrow):
            alive()
            among = pc.is_in(batch[_BORN], value_set=days)
            found.update(batch.filter(among)[KEY].to_pylist())
        for keys in _batched(sorted(found)):
            yield from self._rows(_with(self._whole, KEY, frozenset(keys)), alive)

    def _candidates(self, known: Known, perhaps: set[str], alive: Callable[[], None]) -> Iterable[str]:
        """Who may be followed no more; sorted, each once. All who are gone are among them."""
        gone = self.book.gone(known.changed)
        if gone.everybody or gone.ages or gone.events:
            # Everybody whom the agreement showed then: more than a set should hold.
            return (row[KEY] for row in self._rows(replace(self._former(known), columns=(KEY,)), alive))
        perhaps |= self.book.numbers_gone(known.changed)
        if gone.municipalities:
            there = _with(self._former(known), _PLACE, gone.municipalities)
            perhaps.update(row[KEY] for row in self._rows(replace(there, columns=(KEY,)), alive))
        return sorted(perhaps)

    def _gone(
        self, known: Known, keys: frozenset[str], circle: Circle, before: Circle, alive: Callable[[], None]
    ) -> Iterator[str]:
        """Of some persons those who were followed and are not any more, sorted."""
        followed = {
            row[KEY]: row
            for row in self._rows(_with(self._former(known), KEY, keys), alive)
            if before.takes(row, known.day)
        }
        if not followed:
            return
        still = {
            row[KEY]
            for row in self._rows(_with(self._judged(self._whole), KEY, frozenset(followed)), alive)
            if circle.takes(row, self.day) or circle.takes_event(followed[row[KEY]])
        }
        yield from sorted(followed.keys() - still)

    @property
    def _whole(self) -> ExtractPlan:
        """Everything that the agreement shows now."""
        return replace(self.plan, since=None, corrections=())

    def _former(self, known: Known) -> ExtractPlan:
        """Everything that it showed at the delivery before, by what filters look at."""
        return replace(self._judged(self._whole), snapshot=known.since.snapshot, hide_protected_on=known.since.day)

    def _judged(self, plan: ExtractPlan) -> ExtractPlan:
        looked_at = {KEY, *JUDGED_BY.values()}
        return replace(plan, columns=tuple(each for each in plan.columns if each in looked_at))

    def _narrowed(self, circle: Circle, after: datetime | None) -> Iterator[ExtractPlan]:
        """Plans that read no more than has to be looked at: nobody reads nine million for one who came."""
        whole = self._whole
        if circle.everybody or circle.ages or circle.events:
            yield whole
            return
        if circle.municipalities:
            yield _with(whole, _PLACE, circle.municipalities)
        for keys in _batched(sorted(self.book.numbers_came(after)) if circle.numbers else ()):
            yield _with(whole, KEY, frozenset(keys))

    def _rows(self, plan: ExtractPlan, alive: Callable[[], None]) -> Iterator[Row]:
        for batch in self.scan(plan):
            alive()
            yield from batch.to_pylist()


def _with(plan: ExtractPlan, column: str, values: frozenset[str]) -> ExtractPlan:
    """A plan that reads those values of a column alone, of those that it may."""
    return replace(plan, rows={**plan.rows, column: values & plan.rows.get(column, values)})


def _batched(keys: Iterable[str]) -> Iterator[tuple[str, ...]]:
    each = iter(keys)
    while batch := tuple(islice(each, AT_ONCE)):
        yield batch
