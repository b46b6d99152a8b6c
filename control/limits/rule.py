"""What a call is counted against, and where it leaves each limit. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from control.limits.words import MINUTE_S
from kernel import Limits, Purpose


class Span(StrEnum):
    """Days and months are those of the calendar in Copenhagen."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """What calls are counted against: all the rules that there are, and the most of each kind; 0 is no limit.

    There is one for all agreements with the same limits.
    """

    all: tuple[Rule, ...]
    minute: int
    day: int
    purpose_day: int
    purpose_month: int


@lru_cache(maxsize=4_096)
def rules_of(limits: Limits, purpose: Purpose | None, nodes: int = 1) -> Rules:
    """Each of several nodes has its part of every limit."""
    minute, day = _part(limits.calls_per_minute, nodes), _part(limits.calls_per_day, nodes)
    found = [
        Rule("minute", "agreement.limits.calls_per_minute", Span.MINUTE, minute),
        Rule("day", "agreement.limits.calls_per_day", Span.DAY, day),
    ]
    purpose_day = purpose_month = 0
    if purpose is not None:
        rule = f"agreement.purposes.{purpose.code}"
        purpose_day, purpose_month = _part(purpose.calls_per_day, nodes), _part(purpose.calls_per_month, nodes)
        found += [
            Rule("purpose-day", f"{rule}.calls_per_day", Span.DAY, purpose_day, True),
            Rule("purpose-month", f"{rule}.calls_per_month", Span.MONTH, purpose_month, True),
        ]
    return Rules(tuple(each for each in found if each.most), minute, day, purpose_day, purpose_month)


def _part(limit: int | None, nodes: int) -> int:
    return 0 if limit is None else max(1, limit // nodes)


@dataclass(frozen=True, slots=True)
class Form:
    """What the allowances of all calls of a day under the same rules have in common.

    policy   the field RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers-11)
    now      the field RateLimit, with places for what is left and when there is room again, rule by rule
    """

    rules: tuple[Rule, ...]
    windows_s: tuple[int, ...]
    policy: bytes
    now: bytes


@lru_cache(maxsize=4_096)
def form_of(rules: Rules, day_s: int, month_s: int) -> Form:
    lengths = {Span.MINUTE: MINUTE_S, Span.DAY: day_s, Span.MONTH: month_s}
    windows = tuple(lengths[each.span] for each in rules.all)
    policy = ", ".join(
        f'"{each.name}";q={each.most};w={window}' for each, window in zip(rules.all, windows, strict=True)
    )
    now = ", ".join(f'"{each.name}";r=%d;t=%d' for each in rules.all)
    return Form(rules.all, windows, policy.encode(), now.encode())


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of an agreement's limits after a call that was counted, or now; empty without limits.

    numbers   what is left of each rule, and the seconds until there is room again, one after the other
    """

    form: Form
    numbers: tuple[int, ...]

    @property
    def standings(self) -> tuple[Standing, ...]:
        numbers = self.numbers
        return tuple(map(Standing, self.form.rules, self.form.windows_s, numbers[::2], numbers[1::2]))

    def fields(self) -> list[tuple[bytes, bytes]]:
        """RateLimit-Policy and RateLimit; none without limits."""
        if not self.numbers:
            return []
        return [(b"ratelimit-policy", self.form.policy), (b"ratelimit", self.form.now % self.numbers)]


NO_LIMITS: Final = Allowance(Form((), (), b"", b""), ())
