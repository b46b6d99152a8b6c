"""Limits: never more calls than an agreement allows, in whatever process they come in."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control import Allowance, Counters, purpose_of
from control.errors import (
    LimitsBroken,
    LimitsUnavailable,
    PurposeMissing,
    PurposeUnknown,
    QuotaExhausted,
    RateLimited,
)
from kernel import (
    COPENHAGEN,
    AgreementId,
    Grant,
    Limits,
    OrganisationId,
    PlatformError,
    Purpose,
    ServiceName,
    SystemId,
    Window,
)

NOON = datetime(2031, 3, 10, 12, tzinfo=COPENHAGEN).astimezone(UTC)
ENDS = NOON + timedelta(days=100)


def grant_of(name: str = "a", *purposes: Purpose, **limits: int) -> Grant:
    return Grant(
        agreement=AgreementId(name), system=SystemId("s"), municipality=OrganisationId("m"),
        municipality_cvr="29189420", service=ServiceName("x"), valid=Window(NOON - timedelta(days=1), ENDS),
        terms_hash="0" * 64, limits=Limits(**limits), purposes={each.code: each for each in purposes},
    )  # fmt: skip


@dataclass
class Hand:
    """Counters whose time is set by hand; `other` is another process's view of the same file."""

    path: Path
    second: float = 1_000.0
    at: datetime = NOON

    def open(self, **choices: int) -> Counters:
        return Counters(self.path, slots=choices.pop("slots", 64), seconds=lambda: self.second, **choices)

    def goes(self, seconds: float) -> None:
        self.second += seconds
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    return Hand(tmp_path / "rates.bin")


@pytest.fixture
def counters(hand: Hand) -> Iterator[Counters]:
    with hand.open() as opened:
        yield opened


def admitted(counters: Counters, grant: Grant, hand: Hand, tries: int, purpose: Purpose | None = None) -> int:
    done = 0
    for _ in range(tries):
        try:
            counters.admit(grant, purpose, hand.at)
            done += 1
        except (RateLimited, QuotaExhausted):
            pass
    return done


def left(allowance: Allowance) -> dict[str, int]:
    return {each.rule.name: each.left for each in allowance.standings}


class TestMinute:
    def test_the_limit_and_no_call_more(self, counters: Counters, hand: Hand) -> None:
        grant = grant_of(calls_per_minute=5)
        assert admitted(counters, grant, hand, 9) == 5
        with pytest.raises(RateLimited) as refusal:
            counters.admit(grant, None, hand.at)
        error = refusal.value
        assert (error.status, error.code, error.left) == (429, "rate_limited", 0)
        assert (error.rule, error.owner) == ("agreement.limits.calls_per_minute", "municipality 29189420")
        assert (error.retry_after_s, error.next, error.ends) == (61, NOON + timedelta(seconds=61), ENDS)

    def test_it_may_call_when_it_was_told(self, counters: Counters, hand: Hand) -> None:
        grant = grant_of(calls_per_minute=2)
        assert admitted(counters, grant, hand, 1) == 1
        hand.goes(20)
        assert admitted(counters, grant, hand, 2) == 1
        refusal = counters.refusal(grant, None, hand.at)
        assert refusal is not None
        assert refusal.retry_after_s is not None
        hand.goes(refusal.retry_after_s - 1)
        assert admitted(counters, grant, hand, 1) == 0
        hand.goes(1)
        assert admitted(counters, grant, hand, 2) == 1

    def test_what_is_left_is_said_and_looking_costs_nothing(self, counters: Counters, hand: Hand) -> None:
        grant = grant_of(calls_per_minute=3, calls_per_day=10)
        assert left(counters.admit(grant, None, hand.at)) == {"minute": 2, "day": 9}
        for _ in range(5):
            assert left(counters.look(grant, None, hand.at)) == {"minute": 2, "day": 9}

    def test_agreements_do_not_share(self, counters: Counters, hand: Hand) -> None:
        assert admitted(counters, grant_of("a", calls_per_minute=1), hand, 3) == 1
        assert admitted(counters, grant_of("b", calls_per_minute=1), hand, 3) == 1

    def test_without_limits_nothing_is_counted_or_said(self, counters: Counters, hand: Hand) -> None:
        assert counters.admit(grant_of(), None, hand.at).fields() == []

    def test_the_standard_fields(self, counters: Counters, hand: Hand) -> None:
        fields = dict(counters.admit(grant_of(calls_per_minute=60, calls_per_day=100), None, hand.at).fields())
        assert fields[b"ratelimit-policy"] == b'"minute";q=60;w=60, "day";q=100;w=86400'
        assert fields[b"ratelimit"] == b'"minute";r=59;t=61, "day";r=99;t=43201'

    @settings(max_examples=60, deadline=None)
    @given(
        most=st.integers(1, 6),
        steps=st.lists(st.tuples(st.integers(0, 2), st.floats(0, 70, allow_nan=False)), min_size=1, max_size=60),
    )
    def test_no_stretch_of_a_minute_ever_holds_more(self, most: int, steps: list[tuple[int, float]]) -> None:
        """Three views of one file, as three processes have, and any pauses between calls."""
        with tempfile.TemporaryDirectory() as folder:
            hand = Hand(Path(folder) / "rates.bin")
            grant, times = grant_of(calls_per_minute=most), []
            with hand.open() as one, hand.open() as two, hand.open() as three:
                for who, pause in steps:
                    hand.goes(pause)
                    if admitted((one, two, three)[who], grant, hand, 1):
                        times.append(hand.second)
            for start in times:
                assert sum(start <= each <= start + 60 for each in times) <= most


class TestDayAndMonth:
    def test_a_day_ends_at_midnight_in_copenhagen(self, counters: Counters, hand: Hand) -> None:
        grant = grant_of(calls_per_day=2)
        assert admitted(counters, grant, hand, 3) == 2
        with pytest.raises(QuotaExhausted) as refusal:
            counters.admit(grant, None, hand.at)
        assert (refusal.value.status, refusal.value.rule) == (429, "agreement.limits.calls_per_day")
        hand.goes(12 * 3600 - 1)
        assert admitted(counters, grant, hand, 1) == 0
        hand.goes(1)
        assert admitted(counters, grant, hand, 3) == 2

    def test_a_purpose_has_its_own_day_and_month(self, counters: Counters, hand: Hand) -> None:
        care = Purpose(code="care", calls_per_day=2, calls_per_month=3)
        school = Purpose(code="school", calls_per_day=1)
        grant = grant_of("a", care, school)
        assert admitted(counters, grant, hand, 5, care) == 2
        assert admitted(counters, grant, hand, 5, school) == 1
        hand.goes(86_400)
        assert admitted(counters, grant, hand, 5, care) == 1
        with pytest.raises(QuotaExhausted) as refusal:
            counters.admit(grant, care, hand.at)
        assert refusal.value.rule == "agreement.purposes.care.calls_per_month"
        hand.goes(31 * 86_400)
        assert admitted(counters, grant, hand, 5, care) == 2

    def test_a_call_that_the_purpose_refuses_costs_the_agreement_nothing(self, counters: Counters, hand: Hand) -> None:
        care = Purpose(code="care", calls_per_day=1)
        grant = grant_of("a", care, calls_per_minute=5)
        assert admitted(counters, grant, hand, 5, care) == 1
        assert left(counters.look(grant, care, hand.at)) == {"minute": 4, "purpose-day": 0}

    def test_counts_survive_a_restart(self, hand: Hand) -> None:
        grant = grant_of(calls_per_day=5)
        with hand.open() as first:
            assert admitted(first, grant, hand, 3) == 3
        with hand.open() as second:
            assert admitted(second, grant, hand, 9) == 2

    def test_a_day_with_summer_time_is_shorter(self, counters: Counters, hand: Hand) -> None:
        hand.at = datetime(2031, 3, 30, 12, tzinfo=COPENHAGEN).astimezone(UTC)
        fields = dict(counters.admit(grant_of(calls_per_day=9), None, hand.at).fields())
        assert fields[b"ratelimit-policy"] == b'"day";q=9;w=82800'

    @pytest.mark.parametrize("days", [-1, -400, 1])
    def test_a_clock_that_is_set_back_gives_no_new_quota(self, counters: Counters, hand: Hand, days: int) -> None:
        grant = grant_of(calls_per_day=2)
        hand.at += timedelta(days=max(days, 0))
        assert admitted(counters, grant, hand, 3) == 2
        hand.at -= timedelta(days=abs(days))
        assert admitted(counters, grant, hand, 3) == 0


class TestPurpose:
    def test_one_purpose_needs_no_name(self) -> None:
        care = Purpose(code="care")
        assert purpose_of(grant_of("a", care), None) is care
        assert purpose_of(grant_of("a", care), "care") is care
        assert purpose_of(grant_of("a"), None) is None

    @pytest.mark.parametrize(("named", "kind"), [(None, PurposeMissing), ("tax", PurposeUnknown)])
    def test_several_must_be_told_apart(self, named: str | None, kind: type[PlatformError]) -> None:
        with pytest.raises(kind, match="purpose") as refusal:
            purpose_of(grant_of("a", Purpose(code="care"), Purpose(code="school")), named)
        assert "care, school" in refusal.value.remedy
        assert "tax" not in refusal.value.message + refusal.value.remedy


class TestManyHands:
    def test_two_nodes_let_half_through_each(self, hand: Hand) -> None:
        with hand.open(nodes=2) as counters:
            assert admitted(counters, grant_of(calls_per_minute=5), hand, 9) == 2
            assert admitted(counters, grant_of("b", calls_per_minute=1), hand, 9) == 1

    def test_several_processes_share_one_limit(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "tests.control.counting", str(tmp_path / "rates.bin"), "count"]
        running = [subprocess.Popen([*command, "150"], stdout=subprocess.PIPE, text=True) for _ in range(3)]
        assert sum(int(each.communicate()[0]) for each in running) == 200

    def test_a_process_that_was_killed_holds_nobody_up(self, tmp_path: Path) -> None:
        path = tmp_path / "rates.bin"
        command = [sys.executable, "-m", "tests.control.counting", str(path), "hold"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder, Counters(path) as counters:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            with pytest.raises(LimitsUnavailable):
                counters.admit(grant_of(calls_per_minute=5), None, NOON)
            # Another agreement is not held up even now.
            assert counters.admit(grant_of("other", calls_per_minute=5), None, NOON).standings
            holder.send_signal(signal.SIGKILL)
            holder.wait()
            assert left(counters.admit(grant_of(calls_per_minute=5), None, NOON)) == {"minute": 4}


class TestFile:
    def test_a_full_file_refuses_and_forgets_in_time(self, hand: Hand) -> None:
        with hand.open(slots=3) as counters:
            for name in "abc":
                assert admitted(counters, grant_of(name, calls_per_day=1), hand, 2) == 1
            with pytest.raises(LimitsUnavailable):
                counters.admit(grant_of("d", calls_per_day=1), None, hand.at)
            hand.goes(60 * 86_400)
            assert admitted(counters, grant_of("d", calls_per_day=1), hand, 2) == 1
            assert admitted(counters, grant_of("d", calls_per_day=1), hand, 2) == 0

    def test_another_start_of_the_machine_begins_minutes_anew(
        self, hand: Hand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        grant = grant_of(calls_per_minute=2, calls_per_day=3)
        with hand.open() as first:
            assert admitted(first, grant, hand, 3) == 2
        monkeypatch.setattr("control.limits.table._boot_id", lambda: "another")
        hand.second = 5.0
        with hand.open() as second:
            assert left(second.look(grant, None, hand.at)) == {"minute": 2, "day": 1}

    def test_a_file_of_something_else_is_refused(self, hand: Hand) -> None:
        hand.path.write_bytes(b"x" * 544 * 4)
        with pytest.raises(LimitsBroken):
            hand.open()

    def test_new_terms_are_new_limits(self, counters: Counters, hand: Hand) -> None:
        assert admitted(counters, grant_of(calls_per_minute=1), hand, 2) == 1
        wider = replace(grant_of(calls_per_minute=3), terms_hash="1" * 64)
        assert admitted(counters, wider, hand, 9) == 2
