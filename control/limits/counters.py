"""Counting calls against an agreement's limits: one more is let through, or refused with when there is room again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from control.errors import QuotaExhausted, RateLimited
from control.limits.rule import (
    NO_LIMITS,
    SECONDS,
    Allowance,
    Calendar,
    Rule,
    Span,
    Standing,
    calendar_of,
    hardest,
    in_second,
    in_span,
    of_minute,
    packed,
    rules_of,
    standing,
)
from control.limits.table import DAY, FIRST_SECOND, MONTH, SLOTS, WORDS, Slot, Table
from control.times import shown
from kernel import Grant, PlatformError, Purpose

_MOST_PLANS: Final = 50_000


@dataclass(frozen=True, slots=True)
class _Plan:
    """What calls under one agreement and purpose are counted against, and where."""

    rules: tuple[Rule, ...]
    whole: Slot
    part: Slot
    slots: tuple[Slot, ...]


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
        self._plans: dict[tuple[str, str, str], _Plan] = {}
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
        if not plan.rules:
            return NO_LIMITS
        at_s, table = at.timestamp(), self._table
        calendar = calendar_of(at_s)
        slots = plan.slots
        table.hold(plan.whole)
        try:
            for slot in slots:
                table.place(slot, calendar.day)
            now = int(self._seconds())
            before = self._standings(plan, now, calendar, at_s)
            full = hardest(before)
            if full is None:
                for slot in slots:
                    self._count(slot.base, now, calendar)
        finally:
            table.release(plan.whole)
        if full is not None:
            raise _refusal(grant, full, at)
        return Allowance(tuple([_after(each) for each in before]))

    def look(self, grant: Grant, purpose: Purpose | None, at: datetime) -> Allowance:
        """What is left, without counting anything. Raises LimitsUnavailable."""
        plan = self._plan(grant, purpose)
        if not plan.rules:
            return NO_LIMITS
        at_s, table = at.timestamp(), self._table
        table.hold(plan.whole)
        try:
            return Allowance(tuple(self._standings(plan, int(self._seconds()), calendar_of(at_s), at_s)))
        finally:
            table.release(plan.whole)

    def refusal(self, grant: Grant, purpose: Purpose | None, at: datetime) -> PlatformError | None:
        """What `admit` would raise, without counting anything. Raises LimitsUnavailable."""
        full = hardest(self.look(grant, purpose, at).standings)
        return None if full is None else _refusal(grant, full, at)

    def _plan(self, grant: Grant, purpose: Purpose | None) -> _Plan:
        code = "" if purpose is None else purpose.code
        # Limits are part of the terms, and the terms of an agreement never change.
        mark = grant.agreement, grant.terms_hash, code
        plan = self._plans.get(mark)
        if plan is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            rules = rules_of(grant, purpose, self._nodes)
            whole, part = Slot.of(grant.agreement), Slot.of(grant.agreement, code)
            slots = (whole, part) if any(each.of_purpose for each in rules) else (whole,)
            plan = self._plans[mark] = _Plan(rules, whole, part, slots)
        return plan

    def _standings(self, plan: _Plan, now: int, calendar: Calendar, at_s: float) -> list[Standing]:
        table, found = self._table, []
        words = table.words
        for rule in plan.rules:
            base = table.find(plan.part if rule.of_purpose else plan.whole)
            used = free_s = 0
            if not base:
                pass
            elif rule.span is Span.MINUTE:
                used, free_s = of_minute(words[base + FIRST_SECOND : base + WORDS].tolist(), now)
            elif rule.span is Span.DAY:
                used = in_span(words[base + DAY], calendar.day)[1]
            else:
                used = in_span(words[base + MONTH], calendar.month)[1]
            found.append(standing(rule, used, free_s, calendar, at_s))
        return found

    def _count(self, base: int, now: int, calendar: Calendar) -> None:
        words = self._table.words
        second = base + FIRST_SECOND + now % SECONDS
        words[second] = in_second(words[second], now)
        for at, number in ((DAY, calendar.day), (MONTH, calendar.month)):
            counted, calls = in_span(words[base + at], number)
            words[base + at] = packed(counted, calls + 1)


def _after(each: Standing) -> Standing:
    """A standing with the call that was just counted."""
    reset_s = each.reset_s or each.window_s + 1
    return Standing(each.rule, each.window_s, each.left - 1, reset_s)


def _refusal(grant: Grant, full: Standing, at: datetime) -> PlatformError:
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
