"""How calls are counted, and when one more is too many. Pure.

A minute slides: it is kept as seconds with the calls of each, and a call is let through while the 61 seconds that a
stretch of 60 seconds can touch hold fewer than the limit. So no stretch of 60 seconds ever holds more than the limit,
wherever it begins. Days and months are those of the calendar in Copenhagen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from kernel import COPENHAGEN, Grant, Purpose

MINUTE_S: Final = 60
SECONDS: Final = 64
"""Seconds that are kept: a power of two that is more than the 61 that count."""
COUNT_BITS: Final = 40
_COUNT: Final = (1 << COUNT_BITS) - 1


class Span(StrEnum):
    MINUTE = "minute"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Rule:
    """name   as the fields RateLimit and RateLimit-Policy say it
    rule   as a refusal says it
    """

    name: str
    rule: str
    span: Span
    most: int
    of_purpose: bool = False


class Standing(NamedTuple):
    """Where a call leaves one rule.

    window_s   length of the window, seconds; a day has 23 to 25 hours
    left       calls that may still be made now
    reset_s    seconds until there is room again
    """

    rule: Rule
    window_s: int
    left: int
    reset_s: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of an agreement's limits after a call that was counted, or now; empty without limits."""

    standings: tuple[Standing, ...] = ()

    def fields(self) -> list[tuple[bytes, bytes]]:
        """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-11); none without limits."""
        if not self.standings:
            return []
        policy = ", ".join(f'"{each.rule.name}";q={each.rule.most};w={each.window_s}' for each in self.standings)
        now = ", ".join(f'"{each.rule.name}";r={each.left};t={each.reset_s}' for each in self.standings)
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", now.encode())]


NO_LIMITS: Final = Allowance()


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


def rules_of(grant: Grant, purpose: Purpose | None, nodes: int = 1) -> tuple[Rule, ...]:
    """What a call under `grant` is counted against; each of several nodes has its part of every limit."""
    limits = grant.limits
    found = [
        Rule("minute", "agreement.limits.calls_per_minute", Span.MINUTE, _part(limits.calls_per_minute, nodes)),
        Rule("day", "agreement.limits.calls_per_day", Span.DAY, _part(limits.calls_per_day, nodes)),
    ]
    if purpose is not None:
        rule = f"agreement.purposes.{purpose.code}"
        day, month = _part(purpose.calls_per_day, nodes), _part(purpose.calls_per_month, nodes)
        found += [
            Rule("purpose-day", f"{rule}.calls_per_day", Span.DAY, day, True),
            Rule("purpose-month", f"{rule}.calls_per_month", Span.MONTH, month, True),
        ]
    return tuple(rule for rule in found if rule.most)


def _part(limit: int | None, nodes: int) -> int:
    return 0 if limit is None else max(1, limit // nodes)


def of_minute(seconds: Iterable[int], now: int) -> tuple[int, int]:
    """(calls that count at the second `now`, seconds until the oldest of them counts no more).

    seconds   each `second << COUNT_BITS | calls`, in any order
    """
    floor = now - MINUTE_S << COUNT_BITS
    counting = [each for each in seconds if each >= floor]
    if not counting:
        return 0, 0
    oldest = min(counting) >> COUNT_BITS
    return sum(counting) & _COUNT, oldest + MINUTE_S + 1 - now


def in_second(before: int, now: int) -> int:
    """The word of the second `now` after one more call; `before` is what stood in its place."""
    return before + 1 if before >> COUNT_BITS == now else now << COUNT_BITS | 1


def in_span(word: int, now: int) -> tuple[int, int]:
    """(number of the day or month that counts, calls in it), from `number << COUNT_BITS | calls`.

    A clock that goes back by a day or less opens no quota anew: the day that had begun goes on. One that had been
    further ahead was wrong; its calls stay counted, on the right day.
    """
    number, calls = word >> COUNT_BITS, word & _COUNT
    if number < now:
        return now, 0
    return (number if number == now + 1 else now), calls


def packed(number: int, calls: int) -> int:
    return number << COUNT_BITS | calls


def standing(rule: Rule, used: int, free_s: int, calendar: Calendar, at_s: float) -> Standing:
    """free_s   for a minute: when the oldest call counts no more"""
    left = rule.most - used if used < rule.most else 0
    if rule.span is Span.MINUTE:
        return Standing(rule, MINUTE_S, left, free_s)
    if rule.span is Span.DAY:
        return Standing(rule, calendar.day_s, left, max(1, int(calendar.day_end - at_s) + 1))
    return Standing(rule, calendar.month_s, left, max(1, int(calendar.month_end - at_s) + 1))


def hardest(standings: Sequence[Standing]) -> Standing | None:
    """Of the rules that leave no room for a call, the one that will the last; None when all have room."""
    found = None
    for each in standings:
        if not each.left and (found is None or each.reset_s > found.reset_s):
            found = each
    return found
