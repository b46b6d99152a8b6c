"""Days and months in Copenhagen. Pure."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from kernel import COPENHAGEN


@dataclass(frozen=True, slots=True)
class Calendar:
    """A moment in Copenhagen.

    day, month           numbers that grow by one from each to the next
    day_s, month_s       how long this one is, seconds
    day_end, month_end   when the next begins, seconds since 1970
    """

    day: int
    month: int
    day_s: int
    month_s: int
    day_end: int
    month_end: int


def calendar_of(at_s: float) -> Calendar:
    """at_s   seconds since 1970"""
    # Midnight in Copenhagen is a full hour in UTC, so every moment of an hour lies on the same day.
    return _calendar(int(at_s) // 3600)


@lru_cache(maxsize=8)
def _calendar(hour: int) -> Calendar:
    today = datetime.fromtimestamp(hour * 3600, COPENHAGEN).date()
    first = today.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    day_end, month_end = _midnight(today + timedelta(days=1)), _midnight(following)
    return Calendar(
        day=today.toordinal(),
        month=today.year * 12 + today.month,
        day_s=day_end - _midnight(today),
        month_s=month_end - _midnight(first),
        day_end=day_end,
        month_end=month_end,
    )


def _midnight(day: date) -> int:
    # As a time stamp: differences between times of one zone leave the change to summer time out.
    return int(datetime(day.year, day.month, day.day, tzinfo=COPENHAGEN).timestamp())
