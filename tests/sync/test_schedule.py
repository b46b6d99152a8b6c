"""When a source is due."""

from datetime import UTC, datetime, timedelta

import pytest

from sync import Cron, Every, SourceInvalid, next_due

NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


class TestNextDue:
    def test_is_never_for_a_source_that_is_run_by_hand(self) -> None:
        assert next_due(None, None, NOON) is None

    def test_is_at_once_for_an_interval_that_never_ran(self) -> None:
        assert next_due(Every(60), None, NOON) == NOON

    def test_is_an_interval_after_the_last_run(self) -> None:
        assert next_due(Every(60), NOON - timedelta(seconds=50), NOON) == NOON + timedelta(seconds=10)

    def test_is_in_copenhagen_time_for_a_cron_text(self) -> None:
        due = next_due(Cron("30 20 * * mon-fri"), None, NOON)
        assert due == datetime(2026, 7, 1, 18, 30, tzinfo=UTC)
        assert next_due(Cron("30 20 * * mon-fri"), due, NOON) == datetime(2026, 7, 2, 18, 30, tzinfo=UTC)

    def test_follows_the_change_to_winter_time(self) -> None:
        last = datetime(2026, 10, 23, 18, 30, tzinfo=UTC)
        assert next_due(Cron("30 20 * * mon-fri"), last, last) == datetime(2026, 10, 26, 19, 30, tzinfo=UTC)

    def test_is_past_for_a_run_that_was_missed(self) -> None:
        due = next_due(Cron("0 * * * *"), NOON - timedelta(hours=5), NOON)
        assert due == NOON - timedelta(hours=4)


class TestACronText:
    @pytest.mark.parametrize("text", ["* * *", "61 * * * *", "0 20 * * 1-5", "often"])
    def test_that_cannot_be_read_is_refused(self, text: str) -> None:
        with pytest.raises(SourceInvalid):
            Cron(text)
