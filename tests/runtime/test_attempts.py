"""A source in trouble is remembered with what to do, and is not asked again every minute."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from kernel import DatasetId
from runtime.attempts import LONGEST_S, Attempts
from sync import FileReport, Outcome, RunReport, SourceUnreachable

NOW = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)
UNREACHABLE = SourceUnreachable("the folder is gone", remedy="make it")


def test_there_is_none_before_the_first_and_none_that_cannot_be_read(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path)
    assert attempts.last("cpr") is None
    (tmp_path / "cpr.json").write_text("{")
    assert attempts.last("cpr") is None


def test_each_failure_is_given_more_time_up_to_an_end(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path)
    waits = []
    for _ in range(8):
        attempts.failed("cpr", NOW, UNREACHABLE)
        last = attempts.last("cpr")
        assert last is not None
        retry = last.retry_at()
        assert retry is not None
        waits.append((retry - NOW) / timedelta(seconds=1))
    assert waits[:4] == [60, 120, 240, 480]
    assert waits[-1] == LONGEST_S


def test_a_refused_file_is_told_with_its_name_reason_and_remedy(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path)
    file = FileReport(file="d1", outcome=Outcome.REFUSED).refused(UNREACHABLE)
    attempts.went("cpr", NOW, RunReport(source="cpr", dataset=DatasetId("cpr.persons"), files=(file,)))
    last = attempts.last("cpr")
    assert last is not None
    assert (last.code, last.message, last.remedy) == ("source_unreachable", "d1: the folder is gone", "make it")


def test_a_run_that_went_well_ends_the_trouble(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path)
    attempts.failed("cpr", NOW, UNREACHABLE)
    attempts.went("cpr", NOW, RunReport(source="cpr", dataset=DatasetId("cpr.persons")))
    last = attempts.last("cpr")
    assert last is not None
    assert (last.failures, last.retry_at()) == (0, None)
