"""What a circle's next file tells: two pictures compared, whom the subscriber followed and whom it follows now.

Whoever is followed and has changed, or is followed since, is told with all that the agreement shows. Whoever is
followed no more is told by number alone, once: moved out of what the agreement covers, out of a municipality that is
followed, too old, gone from the register, without an event that is followed in the newest record, or because the
filter was removed. Where such a person went is not told.
"""

from collections.abc import Callable, Iterable, Iterator, Set
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from extract.cursor import Cursor
from extract.delivery.circle import JUDGED_BY, KEY, Circle, FilterKind, birthdays
from extract.delivery.circle_book import AT_ONCE, CircleBook
from extract.plan import ExtractPlan
from replica import OPERATION

_BORN: Final = JUDGED_BY[FilterKind.AGE]
_PLACE: Final = JUDGED_BY[FilterKind.MUNICIPALITY]
_NOBODY: Final = Circle()
_BEHIND: Final = "0"
"""What makes a key one that comes behind it."""

Keys = tuple[str | None, str | None]
Scan = Callable[[ExtractPlan, Keys | None], pa.RecordBatchReader]
"""The rows of a plan, sorted by key; of one that holds everything only those from a key on and before another."""


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
    """Some persons of the file. Each stands in it once.

    rows   those who are followed, with everything that is shown
    gone   the numbers of those who are followed no more
    """

    rows: pa.RecordBatch | None = None
    gone: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    """A plan that reads no more than has to be looked at.

    circle   whom of its rows the file tells
    but      who is told already
    """

    plan: ExtractPlan
    circle: Circle
    but: Circle = _NOBODY


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
        """Each person once; those who are gone last. `alive` is called often, also when nobody is told."""
        if self.known is None:
            yield from self._new(self.book.now, frozenset(), None, alive)
        else:
            yield from self._compared(self.known, alive)

    def _compared(self, known: Known, alive: Callable[[], None]) -> Iterator[Told]:
        circle, before = self.book.now, self.book.at(known.changed)
        written, perhaps = set[str](), set[str]()
        for batch in self._batches(self.plan, alive):
            there = batch.filter(pc.not_equal(batch[OPERATION], "delete"))
            taken = _among(circle, there, self.day)
            written |= taken
            perhaps.update(key for key in batch[KEY].to_pylist() if key not in taken)
            yield from self._of(there, taken)
        for batch in self._birthdays(known, circle, before, alive):
            taken = _among(circle, batch, self.day)
            perhaps.update(key for key in batch[KEY].to_pylist() if key not in taken)
            came = taken - written - _among(before, batch, known.day)
            written |= came
            yield from self._of(batch, came)
        yield from self._new(self.book.came(known.changed), written, known.changed, alive)
        for keys in _batched(self._candidates(known, perhaps, alive)):
            if gone := self._gone(known, frozenset(keys), circle, before, alive):
                yield Told(gone=gone)

    def _new(
        self, circle: Circle, written: Set[str], after: datetime | None, alive: Callable[[], None]
    ) -> Iterator[Told]:
        """Who is followed since a moment, or at all (None), and is not written yet."""
        for reading in self._readings(circle, after):
            for batch in self._batches(reading.plan, alive):
                taken = _among(reading.circle, batch, self.day) - written
                yield from self._of(batch, taken - _among(reading.but, batch, self.day))

    def _of(self, batch: pa.RecordBatch, taken: Set[str]) -> Iterator[Told]:
        """Some of a batch, by what is shown."""
        if taken:
            rows = batch.select(list(self.plan.columns))
            if len(taken) < len(rows):
                rows = rows.filter(pa.array([key in taken for key in batch[KEY].to_pylist()]))
            yield Told(rows=rows)

    def _birthdays(
        self, known: Known, circle: Circle, before: Circle, alive: Callable[[], None]
    ) -> Iterator[pa.RecordBatch]:
        """Who came into an age or grew out of it although nobody delivered anything."""
        born = birthdays((*circle.ages, *before.ages), known.day, self.day)
        if not born or _BORN not in self.plan.columns:
            return
        narrow = replace(self._whole, columns=(KEY, _BORN))
        days, found = pa.array(sorted(born), pa.date32()), set[str]()
        for batch in self._batches(narrow, alive):
            among = pc.is_in(batch[_BORN], value_set=days)
            found.update(batch.filter(among)[KEY].to_pylist())
        for keys in _batched(sorted(found)):
            yield from self._batches(_with(self._whole, KEY, frozenset(keys)), alive)

    def _candidates(self, known: Known, perhaps: set[str], alive: Callable[[], None]) -> Iterable[str]:
        """Who may be followed no more; sorted, each once. All who are gone are among them."""
        gone = self.book.gone(known.changed)
        if gone.everybody or gone.ages or gone.events:
            # Everybody whom the agreement showed then: more than a set should hold.
            return self._keys(self._former(known), alive)
        if gone.numbers is not None:
            for numbers in self.book.numbers_gone(known.changed):
                perhaps |= numbers
        if gone.municipalities:
            perhaps.update(self._keys(_with(self._former(known), _PLACE, gone.municipalities), alive))
        return sorted(perhaps)

    def _gone(
        self, known: Known, keys: frozenset[str], circle: Circle, before: Circle, alive: Callable[[], None]
    ) -> tuple[str, ...]:
        """Of some persons those who were followed and are not any more, sorted."""
        followed, still = set[str](), set[str]()
        for batch in self._batches(_with(self._former(known), KEY, keys), alive):
            followed |= _among(before, batch, known.day)
        if followed:
            for batch in self._batches(_with(self._judged(self._whole), KEY, frozenset(followed)), alive):
                still |= _among(circle, batch, self.day)
        return tuple(sorted(followed - still))

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

    def _readings(self, circle: Circle, after: datetime | None) -> Iterator[_Reading]:
        """Nobody reads nine million for one who came."""
        whole = self._whole
        if circle.everybody or circle.ages or circle.events:
            yield _Reading(whole, circle)
            return
        there = Circle(municipalities=circle.municipalities)
        if circle.municipalities:
            yield _Reading(_with(whole, _PLACE, circle.municipalities), there)
        if circle.numbers is not None:
            for numbers in self.book.numbers_came(after):
                yield _Reading(_with(whole, KEY, numbers), Circle(everybody=True), but=there)

    def _keys(self, plan: ExtractPlan, alive: Callable[[], None]) -> Iterator[str]:
        for batch in self._batches(replace(plan, columns=(KEY,)), alive):
            yield from batch[KEY].to_pylist()

    def _batches(self, plan: ExtractPlan, alive: Callable[[], None]) -> Iterator[pa.RecordBatch]:
        wanted = plan.rows.get(KEY) if plan.since is None else None
        # Keys come sorted, many at a time: each time a part of the register is read, and not all of it.
        keys = (min(wanted), max(wanted) + _BEHIND) if wanted else None
        for batch in self.scan(plan, keys):
            alive()
            yield batch


def _among(circle: Circle, batch: pa.RecordBatch, day: date) -> frozenset[str]:
    """Who of a batch is in a circle."""
    if circle.empty:
        return frozenset()
    looked_at = [name for name in batch.schema.names if name in circle.looks_at]
    return circle.among(batch.select(looked_at).to_pylist(), day)


def _with(plan: ExtractPlan, column: str, values: frozenset[str]) -> ExtractPlan:
    """A plan that reads those values of a column alone, of those that it may."""
    return replace(plan, rows={**plan.rows, column: values & plan.rows.get(column, values)})


def _batched(keys: Iterable[str]) -> Iterator[tuple[str, ...]]:
    each = iter(keys)
    while batch := tuple(islice(each, AT_ONCE)):
        yield batch
