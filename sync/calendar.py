"""When a source's next delivery must be there. Pure.

Days and times are Copenhagen's; working days leave out weekends and Denmark's public holidays, Constitution Day and
Christmas Eve, on which the registers deliver nothing (design: working days decide).
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache

from kernel import COPENHAGEN

LOOK_BACK_DAYS = 30
"""Longer than any run of days without a delivery."""


class Days(StrEnum):
    DAILY = "daily"
    WORKING = "working"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """A delivery must have been loaded on each of `days`, by `by` o'clock."""

    days: Days
    by: time


def missing_since(expected: Expected | None, loaded: datetime | None, now: datetime) -> datetime | None:
    """The moment by which a delivery should have been loaded and was not; None when all is as promised.

    loaded   when a file of the source was last loaded, aware; None when none ever was

    A delivery counts for the first moment after it was loaded, so one that comes the evening before is in time.
    """
    if expected is None:
        return None
    last, before = _last_two(expected, now)
    if loaded is not None and loaded > before:
        return None
    return last


def is_working_day(day: date) -> bool:
    return day.weekday() < 5 and day not in _holidays(day.year)


def _last_two(expected: Expected, now: datetime) -> tuple[datetime, datetime]:
    """The last two moments before `now` by which a delivery must have been loaded, newest first."""
    today = now.astimezone(COPENHAGEN).date()
    found = []
    for back in range(LOOK_BACK_DAYS):
        day = today - timedelta(days=back)
        moment = datetime.combine(day, expected.by, COPENHAGEN).astimezone(UTC)
        if moment <= now and (expected.days is Days.DAILY or is_working_day(day)):
            found.append(moment)
            if len(found) == 2:
                break
    return found[0], found[1]


@cache
def _holidays(year: int) -> frozenset[date]:
    # Imported late: the calendar of all countries takes its time, and few commands need it.
    from holidays import country_holidays

    return frozenset(country_holidays("DK", years=year)) | {date(year, 6, 5), date(year, 12, 24)}
