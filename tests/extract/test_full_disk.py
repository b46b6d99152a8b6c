"""A disk that is full while files are made and put on shelves: nothing half is seen, nothing is lost, and all goes on
when there is room again. On a small file system that is really full.
"""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from extract import Extract, ExtractStore, Jobs, Progress, Shelf
from kernel import AgreementId, DiskFull, Floor, SystemClock
from tests.extract.builders import SERVICE, plan
from tests.extract.conftest import Source
from tests.small_disk import Disk, small_disk
from tests.waiting import eventually

OURS = AgreementId("agreement-1")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with small_disk(tmp_path / "disk", kilobytes=8_000) as disk:
        yield disk


@pytest.fixture
def folder(disk: Disk) -> Path:
    return disk.root / "files"


@pytest.fixture
def shelf(disk: Disk) -> Shelf:
    return Shelf(disk.root / "agreements", lambda text: b"signed " + text[:40])


def made(store: ExtractStore, columns: str | None = None) -> Extract:
    extract = store.open(plan(columns=columns))
    for _ in extract.chunks():
        pass
    return extract


class TestProduction:
    def test_that_finds_no_room_says_so_leaves_none_taken_and_is_made_when_there_is(
        self, store: ExtractStore, disk: Disk
    ) -> None:
        disk.fill(but=600_000)
        with pytest.raises(DiskFull) as refusal:
            made(store)
        assert refusal.value.retry_after_s
        assert {Path(name).suffix for name in disk.names("files")} == {".lock"}
        disk.fill()
        for _ in range(3):
            with pytest.raises(DiskFull):
                made(store)
        disk.empty()
        assert made(store).rows == 20_000

    @pytest.mark.parametrize("pages", range(3))
    def test_whose_manifest_has_no_room_gives_the_room_of_its_file_back(
        self, store: ExtractStore, disk: Disk, pages: int
    ) -> None:
        size = made(store).size_bytes or 0
        store.tidy(datetime.now(UTC) + timedelta(days=1))
        whole = -(-size // 4_096) * 4_096
        disk.fill(but=whole + pages * 4_096)
        before = disk.free_bytes
        try:
            made(store)
        except DiskFull:
            assert disk.free_bytes == before
            assert {Path(name).suffix for name in disk.names("files")} == {".lock"}
            disk.empty()
        assert made(store).rows == 20_000

    def test_is_not_begun_below_the_floor_and_what_is_there_is_given_out(
        self, folder: Path, source: Source, disk: Disk
    ) -> None:
        with ExtractStore(folder, source.scan, floor=Floor(share=0.25)) as store:
            extract = made(store)
            disk.fill(but=1_500_000)
            reads = source.reads
            with pytest.raises(DiskFull):
                store.open(plan(columns="name"))
            assert source.reads == reads
            assert store.open(plan()).ready
            assert sum(map(len, extract.chunks())) == extract.size_bytes
            disk.empty()
            assert made(store, "name").rows == 20_000


class TestJobs:
    @pytest.fixture
    def jobs(self, disk: Disk, store: ExtractStore) -> Jobs:
        return Jobs(disk.root / "jobs", store, SystemClock(), timedelta(hours=1))

    def test_one_whose_file_found_no_room_goes_on_when_there_is(
        self, jobs: Jobs, store: ExtractStore, disk: Disk
    ) -> None:
        disk.fill(but=600_000)
        job = jobs.begin(OURS, plan(), None)
        eventually(lambda: store.failure(plan()) is not None)
        assert jobs.look(job).progress is Progress.RUNNING
        disk.empty()
        eventually(lambda: jobs.look(job).progress is Progress.READY)

    def test_one_that_cannot_be_written_down_is_refused_whole(
        self, jobs: Jobs, store: ExtractStore, disk: Disk
    ) -> None:
        made(store)
        disk.fill()
        with pytest.raises(DiskFull):
            jobs.begin(OURS, plan(), None)
        assert jobs.of(OURS) == []
        assert disk.names("jobs") == {".lock"}
        disk.empty()
        assert jobs.look(jobs.begin(OURS, plan(), None)).progress is Progress.READY

    def test_one_is_cancelled_without_any_room(
        self, jobs: Jobs, store: ExtractStore, source: Source, disk: Disk
    ) -> None:
        source.gate.clear()
        job = jobs.begin(OURS, plan(), None)
        eventually(lambda: store.progress(plan())[1] > 0)
        disk.fill()
        jobs.cancel(job)
        source.gate.set()
        eventually(lambda: store.failure(plan()) is not None)
        assert jobs.of(OURS) == []
        assert {Path(name).suffix for name in disk.names("files")} == {".lock"}


class TestShelf:
    def test_that_has_no_room_for_a_manifest_stays_as_it_is(
        self, shelf: Shelf, store: ExtractStore, disk: Disk
    ) -> None:
        shelf.put(OURS, made(store))
        extract, place = made(store, "name"), shelf.folder(OURS, SERVICE)
        before = {path.name: path.read_bytes() for path in place.iterdir()}
        for pages in range(4):
            disk.fill(but=pages * 4_096)
            with pytest.raises(DiskFull):
                shelf.put(OURS, extract)
            assert {path.name: path.read_bytes() for path in place.iterdir()} == before
            disk.empty()
        subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=place, check=True, capture_output=True)
        shelf.put(OURS, extract)
        found = shelf.manifest(OURS, SERVICE, extract.plan.file_name)
        assert found is not None
        assert found.number == 2

    def test_of_a_new_agreement_is_begun_when_there_is_room(
        self, shelf: Shelf, store: ExtractStore, disk: Disk
    ) -> None:
        extract = made(store)
        disk.fill()
        with pytest.raises(DiskFull):
            shelf.put(OURS, extract)
        disk.empty()
        shelf.put(OURS, extract)
        assert len(shelf.names(OURS, SERVICE)) == 4

    def test_that_is_full_to_the_last_page_can_be_tidied(self, shelf: Shelf, store: ExtractStore, disk: Disk) -> None:
        for columns in ("number", "name"):
            shelf.put(OURS, made(store, columns))
        disk.fill()
        assert (
            shelf.tidy(datetime.now(UTC) + timedelta(days=1), lambda _, plan_id: plan_id == plan(columns="name").id)
            == 1
        )
        kept = plan(columns="name").file_name
        place = shelf.folder(OURS, SERVICE)
        assert kept in shelf.names(OURS, SERVICE)
        # The sums had no room when nothing was given back yet; the next tidying has.
        assert store.tidy(datetime.now(UTC) + timedelta(days=1)) == 1
        shelf.tidy(datetime.now(UTC) - timedelta(days=1))
        subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=place, check=True, capture_output=True)
        shelf.put(OURS, made(store, "born"))
        assert json.loads((place / f"{plan(columns='born').file_name}.manifest.json").read_bytes())["number"] == 3
