"""A delivery that does not come is noticed, and a holiday is no alarm."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import COPENHAGEN
from sync import Days, Expected, missing_since
from sync.calendar import is_working_day

MORNINGS = Expected(days=Days.WORKING, by=time(6))
DAILY = Expected(days=Days.DAILY, by=time(6))


def at(text: str) -> datetime:
    """A time in Copenhagen."""
    return datetime.fromisoformat(text).replace(tzinfo=COPENHAGEN)


class TestADelivery:
    def test_that_came_the_evening_before_is_in_time(self) -> None:
        assert missing_since(MORNINGS, at("2026-11-23T20:10"), at("2026-11-24T07:00")) is None

    def test_is_missed_from_the_moment_it_should_have_been_there(self) -> None:
        loaded = at("2026-11-20T20:10")  # Friday evening, for Monday morning
        assert missing_since(MORNINGS, loaded, at("2026-11-23T23:00")) is None
        assert missing_since(MORNINGS, loaded, at("2026-11-24T05:59")) is None
        assert missing_since(MORNINGS, loaded, at("2026-11-24T06:01")) == at("2026-11-24T06:00")

    def test_is_not_expected_on_a_weekend_or_a_holiday(self) -> None:
        loaded = at("2026-12-23T05:00")
        assert missing_since(MORNINGS, loaded, at("2026-12-27T12:00")) is None
        assert missing_since(DAILY, loaded, at("2026-12-27T12:00")) == at("2026-12-27T06:00")

    def test_that_never_came_is_missing_since_the_last_moment(self) -> None:
        assert missing_since(MORNINGS, None, at("2026-11-24T07:00")) == at("2026-11-24T06:00")

    def test_is_never_missing_where_nothing_is_promised(self) -> None:
        assert missing_since(None, None, at("2026-11-24T07:00")) is None

    @given(st.integers(1_704_067_200, 1_893_456_000), st.timedeltas(timedelta(0), timedelta(40)))
    def test_loaded_later_is_never_worse(self, now: int, ago: timedelta) -> None:
        moment = datetime.fromtimestamp(now, UTC)
        for expected in (MORNINGS, DAILY):
            missing = missing_since(expected, moment - ago, moment)
            assert missing is None or (moment - ago < missing <= moment)
            assert missing_since(expected, moment, moment) is None


@pytest.mark.parametrize("day", ["2026-01-01", "2026-04-02", "2026-05-14", "2026-06-05", "2026-12-24", "2026-12-26"])
def test_days_on_which_nothing_is_delivered(day: str) -> None:
    assert not is_working_day(date.fromisoformat(day))


def test_great_prayer_day_was_abolished_in_2024() -> None:
    assert not is_working_day(date(2023, 5, 5))
    assert is_working_day(date(2024, 4, 26))
