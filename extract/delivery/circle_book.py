"""All filters of a circle in one reading, those that were removed lately among them: the circle as it is, and as it
was at the delivery before. Pure.

A filter that is added or removed has a moment of its own, later than every earlier one of its circle. So one moment
says how much of the circle a delivery knew.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from extract.delivery.circle import Circle, FilterKind
from extract.delivery.outbox_tables import text_of


@dataclass(frozen=True, slots=True)
class Entry:
    """value     as the circle keeps it: of a number the keyed hash
    sealed    the number, encrypted
    removed   None while it stands
    """

    kind: FilterKind
    value: str
    sealed: bytes | None
    added: str
    removed: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleBook:
    """hashed   makes the keyed hash of a number
    opened   makes the number of what is sealed; raises CircleKeyInvalid
    """

    entries: tuple[Entry, ...]
    hashed: Callable[[str], str]
    opened: Callable[[bytes], str]

    @property
    def changed(self) -> datetime | None:
        """When a filter was last added or removed; None for a circle that never had one."""
        moments = [moment for each in self.entries for moment in (each.added, each.removed) if moment is not None]
        return datetime.fromisoformat(max(moments)) if moments else None

    @property
    def now(self) -> Circle:
        return self._circle(each for each in self.entries if each.removed is None)

    def at(self, moment: datetime) -> Circle:
        """As it was known then. A filter that was removed and added once more since then is not in it."""
        known = text_of(moment)
        return self._circle(
            each for each in self.entries if each.added <= known and (each.removed is None or each.removed > known)
        )

    def came(self, moment: datetime) -> Circle:
        """The filters alone that came after a moment, and stand."""
        return self._circle(self._came(moment))

    def gone(self, moment: datetime) -> Circle:
        """The filters alone that stood at a moment, and were removed since."""
        return self._circle(self._gone(moment))

    def numbers_came(self, moment: datetime | None) -> frozenset[str]:
        """Personal numbers in clear that were added after a moment, or all."""
        came = (each for each in self.entries if each.removed is None) if moment is None else self._came(moment)
        return self._numbers(came)

    def numbers_gone(self, moment: datetime) -> frozenset[str]:
        return self._numbers(self._gone(moment))

    def _came(self, moment: datetime) -> Iterable[Entry]:
        known = text_of(moment)
        return (each for each in self.entries if each.removed is None and each.added > known)

    def _gone(self, moment: datetime) -> Iterable[Entry]:
        known = text_of(moment)
        return (
            each for each in self.entries if each.added <= known and each.removed is not None and each.removed > known
        )

    def _numbers(self, entries: Iterable[Entry]) -> frozenset[str]:
        return frozenset(self.opened(each.sealed) for each in entries if each.sealed is not None)

    def _circle(self, entries: Iterable[Entry]) -> Circle:
        found: dict[FilterKind, list[str]] = {kind: [] for kind in FilterKind}
        for each in entries:
            found[each.kind].append(each.value)
        ages = [value.split("-") for value in found[FilterKind.AGE]]
        return Circle(
            numbers=frozenset(found[FilterKind.NUMBER]),
            municipalities=frozenset(found[FilterKind.MUNICIPALITY]),
            ages=tuple((int(youngest), int(oldest)) for youngest, oldest in ages),
            events=frozenset(found[FilterKind.EVENT]),
            everybody=bool(found[FilterKind.EVERYBODY]),
            hashed=self.hashed,
        )
