"""A circle of persons: whom a subscriber follows, by number, municipality, age, event, or everybody it may see.

A person is in the circle when any filter takes it. Filters narrow; the agreement bounds: whatever a filter says, nobody
outside the agreement's scope is in the circle. Pure.
"""

import re
from calendar import isleap
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

from extract.delivery.faults import CircleFilterInvalid
from kernel import Grant
from schemas import ColumnsNotCovered

KEY: Final = "pnr"
OLDEST: Final = 150


class FilterKind(StrEnum):
    NUMBER = "number"
    MUNICIPALITY = "municipality"
    AGE = "age"
    EVENT = "event"
    EVERYBODY = "everybody"


class Outcome(StrEnum):
    """The answers of the established subscription service."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    ALREADY_EXISTED = "ALREADY_EXISTED"
    NON_EXISTING_PNR = "NON_EXISTING_PNR"


JUDGED_BY: Final[Mapping[FilterKind, str]] = {
    FilterKind.NUMBER: KEY,
    FilterKind.MUNICIPALITY: "municipality_code",
    FilterKind.AGE: "birth_date",
    FilterKind.EVENT: "events",
}
"""The column that a filter looks at; an agreement must cover it, or the filter would tell what the agreement hides."""

_NUMBER: Final = re.compile(r"[0-9]{10}")
_CODE: Final = re.compile(r"[0-9]{1,4}")
_EVENT: Final = re.compile(r"[A-ZÆØÅ0-9]{1,3}")
_AGES: Final = re.compile(r"([0-9]{1,3})-([0-9]{1,3})")


@dataclass(frozen=True, slots=True)
class Filter:
    """value   a personal number, a municipality code of four digits, `<from>-<to>` in whole years, an event code; empty
    for everybody. Its repr does not show it: it can be a personal number.
    """

    kind: FilterKind
    value: str = field(default="", repr=False)

    @classmethod
    def of(cls, kind: FilterKind, value: str = "") -> "Filter":
        """Raises CircleFilterInvalid, which does not repeat the value."""
        value = value.strip()
        match kind:
            case FilterKind.NUMBER:
                value = value.replace("-", "")
                well = bool(_NUMBER.fullmatch(value))
            case FilterKind.MUNICIPALITY:
                well = bool(_CODE.fullmatch(value))
                value = value.zfill(4)
            case FilterKind.EVENT:
                value = value.upper()
                well = bool(_EVENT.fullmatch(value))
            case FilterKind.AGE:
                ages = _AGES.fullmatch(value)
                well = ages is not None and int(ages[1]) <= int(ages[2]) <= OLDEST
                if ages is not None:
                    value = f"{int(ages[1])}-{int(ages[2])}"
            case _:
                well = not value
        if not well:
            raise CircleFilterInvalid(
                f"the filter by {kind} is not as it must be", remedy=f"give {_FORMS[kind]}", rule=f"circle.{kind}"
            )
        return cls(kind, value)

    @classmethod
    def ages(cls, youngest: int, oldest: int) -> "Filter":
        """Both included. Raises CircleFilterInvalid."""
        return cls.of(FilterKind.AGE, f"{youngest}-{oldest}")


_FORMS: Final[Mapping[FilterKind, str]] = {
    FilterKind.NUMBER: "a personal number of ten digits",
    FilterKind.MUNICIPALITY: "a municipality code of up to four digits",
    FilterKind.EVENT: "an event code of up to three characters",
    FilterKind.AGE: f"two ages in whole years, the lower one first, up to {OLDEST}",
    FilterKind.EVERYBODY: "no value",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle:
    """Filters as they are asked of rows.

    numbers   which of some personal numbers are followed by number; None when none is
    """

    numbers: Callable[[Collection[str]], frozenset[str]] | None = None
    municipalities: frozenset[str] = frozenset()
    ages: tuple[tuple[int, int], ...] = ()
    events: frozenset[str] = frozenset()
    everybody: bool = False

    @property
    def empty(self) -> bool:
        return not (self.numbers or self.municipalities or self.ages or self.events or self.everybody)

    @property
    def looks_at(self) -> frozenset[str]:
        """The columns without which nobody can be judged."""
        asked = {
            FilterKind.MUNICIPALITY: self.municipalities, FilterKind.AGE: self.ages, FilterKind.EVENT: self.events,
        }  # fmt: skip
        return frozenset({KEY, *(JUDGED_BY[kind] for kind, filters in asked.items() if filters)})

    def among(self, rows: Sequence[Mapping[str, Any]], today: date) -> frozenset[str]:
        """The keys of those who are in the circle; ages are those of `today`.

        rows   with the columns that it looks at, as far as the agreement shows them
        """
        found = frozenset(row[KEY] for row in rows if self._takes(row, today))
        if self.numbers is None or len(found) == len(rows):
            return found
        return found | self.numbers([row[KEY] for row in rows if row[KEY] not in found])

    def _takes(self, row: Mapping[str, Any], today: date) -> bool:
        if self.everybody or row.get("municipality_code") in self.municipalities:
            return True
        if self.events and any(each.get("code") in self.events for each in row.get("events") or ()):
            return True
        age = age_on(row.get("birth_date"), today) if self.ages else None
        return age is not None and any(youngest <= age <= oldest for youngest, oldest in self.ages)


def age_on(born: date | None, today: date) -> int | None:
    """In whole years. Who is born on 29 February is a year older on 1 March in other years."""
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def birthdays(ages: Iterable[tuple[int, int]], after: date, until: date) -> frozenset[date]:
    """Birth dates of those who came into one of the ages, or grew out of it, after a day up to another."""
    found = set()
    turned = {age for youngest, oldest in ages for age in (youngest, oldest + 1)}
    for day in (after + timedelta(days=each) for each in range(1, (until - after).days + 1)):
        for year in (day.year - age for age in turned if age < day.year):
            if (day.month, day.day) != (2, 29) or isleap(year):
                found.add(day.replace(year=year))
            if (day.month, day.day) == (3, 1) and isleap(year) and not isleap(day.year):
                found.add(date(year, 2, 29))
    return frozenset(found)


def ensure_judged(grant: Grant, kind: FilterKind) -> None:
    """Raises ColumnsNotCovered when an agreement does not cover what a filter looks at."""
    column = JUDGED_BY.get(kind)
    if column is not None and grant.columns is not None and column not in grant.columns:
        raise ColumnsNotCovered(
            f"a filter by {kind} looks at {column}, which the agreement does not cover",
            remedy="use another filter, or have the agreement extended",
            rule="agreement.columns",
            owner=f"municipality {grant.municipality_cvr}",
        )
