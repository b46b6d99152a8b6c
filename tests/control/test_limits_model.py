"""Limits beside a plain model of them: a list of the calls that were let through, gone over anew for each call."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control import Counters
from control.errors import QuotaExhausted, RateLimited
from control.limits.calendar import calendar_of
from control.limits.words import FIRST_SECOND, WORDS
from kernel import Grant, Purpose
from tests.control.counting import RACE_LIMIT
from tests.control.test_limits import Hand, grant_of

VIEWS = 3


class Killed(Exception):
    """What ends a process here, in the middle of counting."""


class DyingMemory:
    """A slot's words in a process that is killed before it has written `writes` of them."""

    def __init__(self, words: Any, writes: int) -> None:
        self._words, self._writes = words, writes

    def __getitem__(self, place: Any) -> Any:
        return self._words[place]

    def __setitem__(self, place: int, word: int) -> None:
        if not self._writes:
            raise Killed
        self._writes -= 1
        self._words[place] = word


@dataclass
class Model:
    """One agreement with purposes, as somebody with paper and patience would count its calls.

    Each list says when calls were counted: seconds of the machine, numbers of days and months.
    """

    seconds: list[int] = field(default_factory=list)
    days: list[int] = field(default_factory=list)
    purpose_days: list[tuple[str, int]] = field(default_factory=list)
    purpose_months: list[tuple[str, int]] = field(default_factory=list)

    def numbers(self, grant: Grant, purpose: Purpose | None, hand: Hand) -> dict[str, tuple[int, int]]:
        """(calls left, seconds until there is room again) by rule."""
        now, calendar = int(hand.second), calendar_of(hand.at.timestamp())
        counting = [each for each in self.seconds if now - 60 <= each]
        day_s, month_s = (int(end - hand.at.timestamp()) + 1 for end in (calendar.day_end, calendar.month_end))
        found = {}
        if most := grant.limits.calls_per_minute:
            found["minute"] = (most - len(counting), min(counting) + 61 - now if counting else 0)
        if most := grant.limits.calls_per_day:
            found["day"] = (most - self.days.count(calendar.day), day_s)
        if purpose and (most := purpose.calls_per_day):
            found["purpose-day"] = (most - self.purpose_days.count((purpose.code, calendar.day)), day_s)
        if purpose and (most := purpose.calls_per_month):
            found["purpose-month"] = (most - self.purpose_months.count((purpose.code, calendar.month)), month_s)
        return found

    def count(self, purpose: Purpose | None, hand: Hand, writes: int) -> None:
        """Count a call whose process was killed after so many words: the second's sum, the second, the day, ..."""
        calendar = calendar_of(hand.at.timestamp())
        limited = purpose is not None and (purpose.calls_per_day or purpose.calls_per_month)
        if writes > 1:
            self.seconds.append(int(hand.second))
        if writes > 2:
            self.days.append(calendar.day)
        if writes > 3 and purpose and limited:
            self.purpose_days.append((purpose.code, calendar.day))
        if writes > 4 and purpose and limited:
            self.purpose_months.append((purpose.code, calendar.month))


few = st.none() | st.integers(1, 8)
pauses = st.one_of(
    st.just(0.0), st.floats(0, 3, allow_nan=False), st.floats(55, 130, allow_nan=False), st.floats(0, 3e5)
)
steps = st.tuples(st.integers(0, VIEWS - 1), pauses, st.sampled_from([None, "care", "tax"]), st.integers(0, 20))


def standings_of(allowance: Any) -> dict[str, tuple[int, int]]:
    return {each.rule.name: (each.left, each.reset_s) for each in allowance.standings}


@settings(max_examples=150, deadline=None)
@given(limits=st.tuples(few, few), quotas=st.lists(few, min_size=4, max_size=4), walk=st.lists(steps, max_size=50))
def test_counters_say_what_a_plain_list_of_calls_says(
    limits: tuple[int | None, int | None],
    quotas: list[int | None],
    walk: list[tuple[int, float, str | None, int]],
) -> None:
    """Three views of one file, as three processes have; now and then one is killed between two words."""
    purposes = [
        Purpose(code="care", calls_per_day=quotas[0], calls_per_month=quotas[1]),
        Purpose(code="tax", calls_per_day=quotas[2], calls_per_month=quotas[3]),
    ]
    known = {name: value for name, value in zip(("calls_per_minute", "calls_per_day"), limits, strict=True) if value}
    grant, model = grant_of("a", *purposes, **known), Model()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        hand = Hand(Path(folder) / "rates.bin")
        views = [stack.enter_context(hand.open()) for _ in range(VIEWS)]
        for who, pause, code, writes in walk:
            hand.goes(pause)
            purpose = grant.purposes.get(code or "")
            before = model.numbers(grant, purpose, hand)
            assert standings_of(views[who].look(grant, purpose, hand.at)) == before
            if any(left < 1 for left, _ in before.values()):
                with pytest.raises((RateLimited, QuotaExhausted)) as refusal:
                    views[who].admit(grant, purpose, hand.at)
                assert refusal.value.retry_after_s == max(reset for left, reset in before.values() if left < 1)
            elif before and writes < 5:
                killed_while_counting(views[who], grant, purpose, hand, writes)
                model.count(purpose, hand, writes)
            else:
                after = views[who].admit(grant, purpose, hand.at)
                if before:
                    model.count(purpose, hand, 99)
                assert standings_of(after) == model.numbers(grant, purpose, hand)


def killed_while_counting(counters: Counters, grant: Grant, purpose: Purpose | None, hand: Hand, writes: int) -> None:
    """The call makes its slots, and dies after it has written `writes` words of its count, or all that there are."""
    table, plan = counters._table, counters._plan(grant, purpose)
    for slot in (plan.whole, plan.part):
        if slot is not None:
            table.place(slot, calendar_of(hand.at.timestamp()).day)
    memory: Any = table.words
    table.words = DyingMemory(memory, writes)  # type: ignore[assignment]
    try:
        counters.admit(grant, purpose, hand.at)
    except Killed:
        pass
    finally:
        table.words = memory


class TestProcesses:
    def test_no_minute_holds_more_when_processes_race_and_one_is_killed(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "tests.control.counting", str(tmp_path / "rates.bin"), "race", "25000"]
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(VIEWS)]
        told = list(self.lines_until_one_dies(running))
        calls = [tuple(map(float, each.split())) for each in told if each.endswith("\n")]
        assert len(calls) > 2 * RACE_LIMIT
        # A call was let through at some time between the two that are told; a minute that holds both holds the call.
        for start, _ in calls:
            assert sum(start <= before and after <= start + 60 for before, after in calls) <= RACE_LIMIT

    def lines_until_one_dies(self, running: list[subprocess.Popen[str]]) -> Iterator[str]:
        first, *others = running
        assert first.stdout is not None
        for _ in range(5):
            yield first.stdout.readline()
        first.send_signal(signal.SIGKILL)
        for each in (first, *others):
            yield from each.communicate()[0].splitlines(keepends=True)
        assert [each.returncode for each in others] == [0] * len(others)


class TestFile:
    @pytest.mark.parametrize("days", [0, 193, 195, 40_000])
    def test_a_machine_may_run_for_long(self, tmp_path: Path, days: int) -> None:
        hand = Hand(tmp_path / "rates.bin", second=days * 86_400.0)
        grant = grant_of(calls_per_minute=2)
        with hand.open() as counters:
            assert standings_of(counters.admit(grant, None, hand.at)) == {"minute": (1, 61)}
            hand.goes(2)
            assert standings_of(counters.admit(grant, None, hand.at)) == {"minute": (0, 59)}
            with pytest.raises(RateLimited):
                counters.admit(grant, None, hand.at)

    def test_days_of_a_file_of_the_former_form_go_on(self, tmp_path: Path) -> None:
        hand = Hand(tmp_path / "rates.bin")
        grant = grant_of(calls_per_minute=5, calls_per_day=3)
        with hand.open() as counters:
            counters.admit(grant, None, hand.at)
        # Its magic, and seconds where they stood in it: from the fifth word on, with another share of bits.
        with hand.path.open("r+b") as file:
            data = bytearray(file.read())
            data[:8] = b"KnudLim1"
            for base in range(WORDS, len(data) // 8, WORDS):
                if any(data[base * 8 : base * 8 + 8]):
                    for place in range(FIRST_SECOND - 1, WORDS):
                        data[(base + place) * 8 : (base + place + 1) * 8] = (1_000 << 40 | 7).to_bytes(8, "little")
            file.seek(0)
            file.write(data)
        with hand.open() as counters:
            assert standings_of(counters.look(grant, None, hand.at)) == {"minute": (5, 0), "day": (2, 43_201)}
