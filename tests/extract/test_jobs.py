"""Extracts that are asked for now and fetched later: their states, their end, and a maker that dies."""

import fcntl
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from extract import Extract, ExtractStore, Job, Jobs, Progress, Shelf
from extract.errors import ExtractCancelled, ExtractJobUnknown, TooManyExtracts
from extract.place import Place
from kernel import AgreementId
from tests.extract.builders import SERVICE, plan
from tests.extract.conftest import Source
from tests.extract.test_store import UNTIL_KILLED_S, making
from tests.waiting import eventually

OURS, THEIRS = AgreementId("agreement-1"), AgreementId("agreement-2")


class Hands:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = datetime(2031, 3, 10, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def jobs(tmp_path: Path, store: ExtractStore, clock: Hands) -> Jobs:
    return Jobs(tmp_path / "jobs", store, clock, timedelta(hours=1))


def is_(jobs: Jobs, job: Job, progress: Progress) -> Callable[[], bool]:
    return lambda: jobs.look(job).progress is progress


class TestJobs:
    def test_runs_tells_how_far_it_is_and_is_ready(self, jobs: Jobs, source: Source) -> None:
        source.gate.clear()
        job = jobs.begin(OURS, plan(), 20_000)
        eventually(lambda: jobs.look(job).size_bytes > 0)
        state = jobs.look(job)
        assert (state.progress, state.extract, state.job.rows_expected) == (Progress.RUNNING, None, 20_000)
        source.gate.set()
        eventually(is_(jobs, job, Progress.READY))
        ready = jobs.look(job)
        assert ready.rows == 20_000
        assert ready.extract is not None
        assert ready.extract.plan == plan()

    def test_the_same_plan_is_the_same_job(self, jobs: Jobs, source: Source) -> None:
        assert jobs.begin(OURS, plan(), None) == jobs.begin(OURS, plan(), None)
        assert jobs.begin(OURS, plan(columns="number"), None) != jobs.begin(OURS, plan(), None)
        assert jobs.begin(THEIRS, plan(), None) != jobs.begin(OURS, plan(), None)
        assert [job.plan for job in jobs.of(OURS)] == [plan(), plan(columns="number")]

    def test_the_same_plan_asked_for_many_times_at_once_is_one_job(
        self, jobs: Jobs, store: ExtractStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = store.open

        def slowly(*given: Any) -> Extract:
            time.sleep(0.02)
            return opened(*given)

        monkeypatch.setattr(store, "open", slowly)
        with ThreadPoolExecutor(8) as threads:
            begun = list(threads.map(lambda _: jobs.begin(OURS, plan(), None), range(8)))
        assert len({job.id for job in begun}) == len(jobs.of(OURS)) == 1

    def test_another_agreements_is_not_there(self, jobs: Jobs) -> None:
        job = jobs.begin(OURS, plan(), None)
        assert jobs.get(OURS, SERVICE, job.id) == job
        for agreement, service, name in ((THEIRS, SERVICE, job.id), (OURS, "other", job.id), (OURS, SERVICE, "../x")):
            with pytest.raises(ExtractJobUnknown):
                jobs.get(agreement, service, name)  # type: ignore[arg-type]

    def test_ends_with_its_time(self, jobs: Jobs, clock: Hands, tmp_path: Path) -> None:
        job = jobs.begin(OURS, plan(), None)
        clock.time += timedelta(hours=1)
        with pytest.raises(ExtractJobUnknown):
            jobs.get(OURS, SERVICE, job.id)
        assert jobs.tidy() == 1
        assert list((tmp_path / "jobs").glob("*.json")) == []

    def test_there_may_be_so_many(self, jobs: Jobs, source: Source) -> None:
        source.gate.clear()
        made = [jobs.begin(OURS, replace(plan(), contract_version=str(number)), None) for number in range(20)]
        with pytest.raises(TooManyExtracts) as refusal:
            jobs.begin(OURS, plan(), None)
        assert refusal.value.retry_after_s == 3_600
        jobs.cancel(made[0])
        jobs.begin(OURS, plan(), None)
        source.gate.set()

    def test_what_another_version_wrote_is_passed_over(self, jobs: Jobs, tmp_path: Path) -> None:
        (tmp_path / "jobs" / "old.json").write_text('{"id": "x"}')
        job = jobs.begin(OURS, plan(), None)
        assert jobs.of(OURS) == [job]
        assert jobs.tidy() == 1

    def test_goes_on_in_another_process_when_its_maker_died(
        self, jobs: Jobs, source: Source, folder: Path, tmp_path: Path, clock: Hands
    ) -> None:
        with making(folder, pause_s=UNTIL_KILLED_S) as maker, ExtractStore(folder, source.scan) as theirs:
            begun = Jobs(tmp_path / "jobs", theirs, clock, timedelta(hours=1)).begin(OURS, plan(), None)
            assert (jobs.look(begun).progress, source.reads) == (Progress.RUNNING, 0)
            maker.kill()
            maker.wait()
        (job,) = jobs.of(OURS)
        eventually(is_(jobs, job, Progress.READY))
        assert jobs.look(job).rows == 20_000

    def test_says_that_it_failed_and_can_be_asked_for_again(self, jobs: Jobs, source: Source) -> None:
        source.failing = True
        job = jobs.begin(OURS, plan(), None)
        eventually(is_(jobs, job, Progress.FAILED))
        source.failing = False
        assert jobs.begin(OURS, plan(), None) == job
        eventually(is_(jobs, job, Progress.READY))


class TestCancelling:
    def test_stops_the_making(self, jobs: Jobs, source: Source, folder: Path) -> None:
        source.gate.clear()
        job = jobs.begin(OURS, plan(), None)
        eventually(lambda: jobs.look(job).size_bytes > 0)
        jobs.cancel(job)
        source.gate.set()
        eventually(lambda: not list(folder.glob(".*.part")))
        (mine,) = jobs.of(OURS)
        assert jobs.look(mine).progress is Progress.CANCELLED
        assert list(folder.glob("[!.]*")) == []

    def test_leaves_what_another_agreement_waits_for(self, jobs: Jobs, source: Source) -> None:
        source.gate.clear()
        job, other = jobs.begin(OURS, plan(), None), jobs.begin(THEIRS, plan(), None)
        jobs.cancel(job)
        source.gate.set()
        eventually(is_(jobs, other, Progress.READY))

    def test_leaves_what_somebody_downloads(self, jobs: Jobs, source: Source, store: ExtractStore) -> None:
        source.gate.clear()
        reading = store.open(plan()).chunks()
        begun = next(reading)
        job = jobs.begin(OURS, plan(), None)
        jobs.cancel(job)
        source.gate.set()
        rest = b"".join(reading)
        assert len(begun) + len(rest) == store.open(plan()).size_bytes

    def test_leaves_what_somebody_downloads_from_another_process(
        self, jobs: Jobs, source: Source, store: ExtractStore, folder: Path
    ) -> None:
        source.gate.clear()
        job = jobs.begin(OURS, plan(), None)
        eventually(lambda: jobs.look(job).size_bytes > 0)
        with ExtractStore(folder, source.scan) as other:
            reading = other.open(plan()).chunks()
            begun = next(reading)
            jobs.cancel(job)
            source.gate.set()
            rest = b"".join(reading)
        assert len(begun) + len(rest) == store.open(plan()).size_bytes
        assert source.reads == 1

    @pytest.mark.parametrize("stopped", [False, True], ids=["before it stopped", "when it had stopped"])
    def test_leaves_it_to_be_asked_for_again(
        self, jobs: Jobs, source: Source, store: ExtractStore, stopped: bool
    ) -> None:
        source.gate.clear()
        job = jobs.begin(OURS, plan(), None)
        eventually(lambda: jobs.look(job).size_bytes > 0)
        jobs.cancel(job)
        again = None if stopped else jobs.begin(OURS, plan(), None)
        source.gate.set()
        if again is None:
            eventually(lambda: isinstance(store.failure(plan()), ExtractCancelled))
            again = jobs.begin(OURS, plan(), None)
        eventually(is_(jobs, again, Progress.READY))

    def test_while_somebody_comes_to_download_it_keeps_the_file_from_nobody(
        self, jobs: Jobs, source: Source, store: ExtractStore
    ) -> None:
        source.gate.clear()
        job = jobs.begin(OURS, plan(), None)
        eventually(lambda: jobs.look(job).size_bytes > 0)
        extract = store.open(plan())
        jobs.cancel(job)
        source.gate.set()
        eventually(lambda: isinstance(store.failure(plan()), ExtractCancelled))
        assert len(b"".join(extract.chunks())) == extract.size_bytes


class TestTidying:
    LATER = timedelta(hours=1)

    def limit(self) -> datetime:
        return datetime.now(UTC) + self.LATER

    def test_removes_what_nobody_asked_for_in_a_long_time(self, store: ExtractStore, folder: Path) -> None:
        list(store.open(plan()).chunks())
        assert store.tidy(datetime.now(UTC) - self.LATER) == 0
        assert store.tidy(self.limit()) == 1
        assert [path for path in folder.iterdir() if not path.name.endswith(".lock")] == []
        assert list(store.open(plan()).chunks())

    def test_leaves_what_is_on_a_shelf_read_or_made(
        self, store: ExtractStore, source: Source, tmp_path: Path, folder: Path
    ) -> None:
        shelf = Shelf(tmp_path / "shelves")
        shelved, read = store.open(plan()), store.open(plan(columns="number name"))
        for each in (shelved, read):
            list(each.chunks())
        shelf.put(OURS, shelved)
        reading = read.chunks()
        begun = next(reading)
        source.gate.clear()
        made = store.open(plan(columns="number born")).chunks()
        growing = next(made)
        assert store.tidy(self.limit()) == 0
        source.gate.set()
        assert len(begun + b"".join(reading)) == read.size_bytes
        assert len(growing + b"".join(made)) == store.open(plan(columns="number born")).size_bytes
        assert shelf.tidy(self.limit()) == 1
        assert shelf.names(OURS, SERVICE) == ()
        assert store.tidy(self.limit()) == 3

    def test_removes_what_a_killed_maker_left_without_a_manifest(self, store: ExtractStore, folder: Path) -> None:
        extract = store.open(plan())
        list(extract.chunks())
        (folder / f"{plan().id}.manifest.json").unlink()
        store.tidy(datetime.now(UTC) - self.LATER)
        assert extract.path.exists()
        store.tidy(self.limit())
        assert not extract.path.exists()

    def test_removes_what_a_killed_process_left_of_a_job(
        self, store: ExtractStore, tmp_path: Path, clock: Hands, jobs: Jobs
    ) -> None:
        draft = tmp_path / "jobs" / ".01a22108-b15d-7577-a46a-1db90986f2d5.part"
        draft.write_bytes(b"{")
        os.utime(draft, (0, clock.now().timestamp()))
        jobs.tidy()
        assert draft.exists()
        clock.time += timedelta(hours=2)
        jobs.tidy()
        assert not draft.exists()

    def test_of_a_lock_keeps_nobody_from_holding_the_one_that_counts(
        self, folder: Path, store: ExtractStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = Place(folder, plan())
        flock = fcntl.flock

        def too_late(handle: int, how: int) -> None:
            """As when it is tidied away between being opened and being locked."""
            monkeypatch.undo()
            place.lock.unlink()
            flock(handle, how)

        monkeypatch.setattr("extract.place.fcntl.flock", too_late)
        taken = place.take()
        assert taken is not None
        assert place.take() is None
        os.close(taken)
