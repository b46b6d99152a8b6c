"""Counting calls against an agreement's limits: one more is let through, or refused with when there is room again."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from control.errors import QuotaExhausted, RateLimited
from control.limits.calendar import Calendar, calendar_of
from control.limits.rule import NO_LIMITS, Allowance, Form, Rules, Span, form_of, rules_of
from control.limits.table import SLOTS, Slot, Table
from control.limits.words import (
    DAY,
    FIRST_SECOND,
    MONTH,
    PAST,
    SECONDS,
    calls_of,
    in_minute,
    in_second,
    in_span,
    past_at,
    second_of,
)
from control.times import shown
from kernel import Grant, PlatformError, Purpose

_MOST_PLANS: Final = 50_000


@dataclass(frozen=True, slots=True)
class _Plan:
    """What calls under one agreement and purpose are counted against, and where.

    whole, part   the agreement's slot, and the purpose's when that has limits of its own
    """

    terms_hash: str
    rules: Rules
    whole: Slot
    part: Slot | None


class Counters:
    """The counters of `path`, shared by all processes of a node. Use with `with`; safe in several threads.

    nodes     how many nodes answer for the same agreements: each counts for itself and lets its part through
    seconds   a time that grows evenly, the same in all processes, and is not set back

    Raises LimitsBroken for a file that is none of ours.
    """

    def __init__(
        self,
        path: Path,
        *,
        nodes: int = 1,
        slots: int = SLOTS,
        seconds: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        self._nodes, self._seconds = nodes, seconds
        self._plans: dict[str | tuple[str, str], _Plan] = {}
        self._table = Table(path, slots)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._table.close()

    def admit(self, grant: Grant, purpose: Purpose | None, at: datetime) -> Allowance:
        """Count a call when every limit has room for it, else count nothing.

        Raises RateLimited, QuotaExhausted; LimitsUnavailable when it cannot be counted.
        """
        plan = self._plan(grant, purpose)
        if not plan.rules.all:
            return NO_LIMITS
        at_s, table = at.timestamp(), self._table
        calendar = calendar_of(at_s)
        form = form_of(plan.rules, calendar.day_s, calendar.month_s)
        table.hold(plan.whole)
        try:
            whole = table.place(plan.whole, calendar.day)
            part = table.place(plan.part, calendar.day) if plan.part is not None else 0
            # Read once, so that what is told is what was judged; with the lock, so that no count is of a later time.
            now = int(self._seconds())
            numbers, words = self._reckoned(plan.rules, whole, part, now, calendar, at_s, 1)
            if min(numbers) >= 0:
                for place, word in words:
                    table.words[place] = word
                return Allowance(form, tuple(numbers))
            numbers, _ = self._reckoned(plan.rules, whole, part, now, calendar, at_s, 0)
        finally:
            table.release()
        raise _refusal(grant, _allowance(form, numbers), at)

    def look(self, grant: Grant, purpose: Purpose | None, at: datetime) -> Allowance:
        """What is left, without counting anything. Raises LimitsUnavailable."""
        plan = self._plan(grant, purpose)
        if not plan.rules.all:
            return NO_LIMITS
        at_s, table = at.timestamp(), self._table
        calendar = calendar_of(at_s)
        table.hold(plan.whole)
        try:
            whole, part = table.find(plan.whole), table.find(plan.part) if plan.part is not None else 0
            now = int(self._seconds())
            numbers, _ = self._reckoned(plan.rules, whole, part, now, calendar, at_s, 0)
        finally:
            table.release()
        return _allowance(form_of(plan.rules, calendar.day_s, calendar.month_s), numbers)

    def refusal(self, grant: Grant, purpose: Purpose | None, at: datetime) -> PlatformError | None:
        """What `admit` would raise, without counting anything. Raises LimitsUnavailable."""
        allowance = self.look(grant, purpose, at)
        return None if all(each.left for each in allowance.standings) else _refusal(grant, allowance, at)

    def _plan(self, grant: Grant, purpose: Purpose | None) -> _Plan:
        mark = grant.agreement if purpose is None else (grant.agreement, purpose.code)
        plan = self._plans.get(mark)
        # Limits are part of the terms, and the terms of an agreement never change; those of a trial may.
        if plan is None or plan.terms_hash != grant.terms_hash:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            rules = rules_of(grant.limits, purpose, self._nodes)
            part = None
            if purpose is not None and (rules.purpose_day or rules.purpose_month):
                part = Slot.of(grant.agreement, purpose.code)
            plan = self._plans[mark] = _Plan(grant.terms_hash, rules, Slot.of(grant.agreement), part)
        return plan

    def _reckoned(
        self, rules: Rules, whole: int, part: int, now: int, calendar: Calendar, at_s: float, calls: int
    ) -> tuple[list[int], list[tuple[int, int]]]:
        """The numbers of an Allowance after `calls` more, and the words that count them: (place, word).

        whole, part   first words of the slots; 0 for one that is not there
        calls         1, or 0 to look; less than 0 is left of a rule that has no room for them
        """
        words = self._table.words
        numbers: list[int] = []
        past = past_at(words, whole, now)
        now = second_of(past)
        place = whole + FIRST_SECOND + now % SECONDS
        second = in_second(words[place], now, calls)
        day = in_span(words[whole + DAY], calendar.day, calls)
        day_s = max(1, int(calendar.day_end - at_s) + 1)
        if rules.minute:
            used, free_s = in_minute(past, second)
            numbers += rules.minute - used, free_s
        if rules.day:
            numbers += rules.day - calls_of(day), day_s
        # In this order: see words.py.
        counted = [(whole + PAST, past), (place, second), (whole + DAY, day)]
        if rules.purpose_day or rules.purpose_month:
            day = in_span(words[part + DAY], calendar.day, calls)
            month = in_span(words[part + MONTH], calendar.month, calls)
            if rules.purpose_day:
                numbers += rules.purpose_day - calls_of(day), day_s
            if rules.purpose_month:
                numbers += rules.purpose_month - calls_of(month), max(1, int(calendar.month_end - at_s) + 1)
            counted += (part + DAY, day), (part + MONTH, month)
        return numbers, counted


def _allowance(form: Form, numbers: Iterable[int]) -> Allowance:
    # Fewer calls may be allowed now than have been made: when limits were taken from one node and given to several.
    return Allowance(form, tuple([max(0, each) for each in numbers]))


def _refusal(grant: Grant, allowance: Allowance, at: datetime) -> PlatformError:
    """Of the rules that leave no room, the one that will the last is told."""
    full = max((each for each in allowance.standings if not each.left), key=lambda each: each.reset_s)
    then = at + timedelta(seconds=full.reset_s)
    minute = full.rule.span is Span.MINUTE
    what = "purpose" if full.rule.of_purpose else "agreement"
    kind = RateLimited if minute else QuotaExhausted
    when = f"{then:%H:%M:%S} UTC" if minute else shown(then)
    more = "spread calls over the minute, or ask" if minute else "ask"
    return kind(
        f"the {full.rule.most} calls that the {what} has for a {full.rule.span} are used up",
        remedy=f"call again after {when}; {more} the municipality for a higher limit, or ask for many keys in one call",
        rule=full.rule.rule,
        owner=f"municipality {grant.municipality_cvr}",
        retry_after_s=full.reset_s,
        left=0,
        ends=grant.valid.end,
        next=then,
    )
