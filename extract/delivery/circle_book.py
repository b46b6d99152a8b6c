"""All filters of a circle in one picture, those that were removed lately among them: the circle as it is, and as it was
at the delivery before. Pure.

A filter stands from the moment it is added until the moment it is removed: a stay. One that is added once more begins
another. Every change of a circle has a moment of its own, later than every earlier one, so one moment says how much of
the circle a delivery knew.

Of the filters by number, of which there can be hundreds of thousands, none is held here: they are asked for where they
are kept.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Protocol

from extract.delivery.circle import Circle, FilterKind
from extract.delivery.outbox_tables import text_of

AT_ONCE: Final = 20_000
"""Persons looked at together: a set of keys that fits in any memory."""


@dataclass(frozen=True, slots=True)
class Stays:
    """Stays that were under way at a moment; of those only some.

    after   that began later than this
    by      that had ended by then
    """

    at: str
    after: str | None = None
    by: str | None = None

    def hold(self, added: str, removed: str | None) -> bool:
        return (
            added <= self.at
            and (removed is None or removed > self.at)
            and (self.after is None or added > self.after)
            and (self.by is None or (removed is not None and removed <= self.by))
        )


class Numbers(Protocol):
    """The filters by number of one circle."""

    def any(self, stays: Stays) -> bool: ...

    def among(self, numbers: Collection[str], stays: Stays) -> frozenset[str]:
        """Which of some personal numbers there are."""
        ...

    def batches(self, stays: Stays) -> Iterator[frozenset[str]]:
        """All, in clear: many at a time, in the order of the register's keys. Raises CircleKeyInvalid."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """A filter of another kind. removed   None while it stands"""

    kind: FilterKind
    value: str
    added: str
    removed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleBook:
    """changed   when a filter was last added or removed; None for a circle that never had one
    entries   without those by number
    """

    changed: datetime | None
    entries: tuple[Entry, ...]
    numbers: Numbers

    @property
    def now(self) -> Circle:
        return self._circle(self._now)

    def at(self, moment: datetime) -> Circle:
        """As it was known then."""
        return self._circle(Stays(text_of(moment)))

    def came(self, moment: datetime) -> Circle:
        """The filters alone that came after a moment, and stand. One that was removed and added once more came again,
        but for events: a client that sets up its codes at each start is not told old events each time.
        """
        stood = self._entries(Stays(text_of(moment)))
        again = {(each.kind, each.value) for each in stood if each.kind is FilterKind.EVENT}
        return self._circle(self._came(moment), but_for=again)

    def gone(self, moment: datetime) -> Circle:
        """The filters alone that stood at a moment, and stand no more; of the numbers those too that came again."""
        standing = {(each.kind, each.value) for each in self._entries(self._now)}
        return self._circle(self._gone(moment), but_for=standing)

    def numbers_came(self, moment: datetime | None) -> Iterator[frozenset[str]]:
        """Personal numbers in clear that were added after a moment, or all; see `Numbers.batches`."""
        return self.numbers.batches(self._now if moment is None else self._came(moment))

    def numbers_gone(self, moment: datetime) -> Iterator[frozenset[str]]:
        return self.numbers.batches(self._gone(moment))

    @property
    def _now(self) -> Stays:
        return Stays("" if self.changed is None else text_of(self.changed))

    def _came(self, moment: datetime) -> Stays:
        return Stays(self._now.at, after=text_of(moment))

    def _gone(self, moment: datetime) -> Stays:
        return Stays(text_of(moment), by=self._now.at)

    def _entries(self, stays: Stays) -> Iterable[Entry]:
        return (each for each in self.entries if stays.hold(each.added, each.removed))

    def _circle(self, stays: Stays, but_for: Collection[tuple[FilterKind, str]] = ()) -> Circle:
        found: dict[FilterKind, list[str]] = {kind: [] for kind in FilterKind}
        for each in self._entries(stays):
            if (each.kind, each.value) not in but_for:
                found[each.kind].append(each.value)
        ages = [value.split("-") for value in found[FilterKind.AGE]]
        return Circle(
            numbers=partial(self.numbers.among, stays=stays) if self.numbers.any(stays) else None,
            municipalities=frozenset(found[FilterKind.MUNICIPALITY]),
            ages=tuple((int(youngest), int(oldest)) for youngest, oldest in ages),
            events=frozenset(found[FilterKind.EVENT]),
            everybody=bool(found[FilterKind.EVERYBODY]),
        )
