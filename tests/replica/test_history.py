"""History: maintenance takes nothing that is read or kept, and going back is a publication like any other."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernel import SnapshotId
from replica import (
    QUARANTINE,
    ROLLBACK,
    AppliedContract,
    HistoryExpired,
    Lake,
    Lookups,
    Mode,
    RollbackImpossible,
    Search,
    SnapshotUnknown,
    read_past,
    refresh_segments,
)
from schemas import Classification, Column, Dataset, Kind
from tests.replica.builders import PERSONS, SETTINGS, a_delivery, a_row

NOW_OVER = replace(SETTINGS, keep_days=0, quarantine_days=0, reader_patience_s=0.2)
TOWNS = Dataset(
    register="dar",
    name="towns",
    key="code",
    columns=(Column(name="code", kind=Kind.TEXT, required=True, unique=True, classification=Classification.PERSONAL),),
)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        opened.prepare(PERSONS)
        yield opened


def publish(lake: Lake, rows: dict[str, str], mode: Mode = Mode.FULL, **more: Any) -> SnapshotId:
    return lake.publish(
        PERSONS, a_delivery([a_row(key, status=status) for key, status in rows.items()], mode, **more)
    ).snapshot


def people(lake: Lake, snapshot: SnapshotId | None = None) -> dict[str, str]:
    table = lake.scan(PERSONS, snapshot=snapshot, columns=["pnr", "status"]).read_all()
    return dict(zip(table["pnr"].to_pylist(), table["status"].to_pylist(), strict=True))


def files(lake_folder: Path) -> set[Path]:
    return {path for path in (lake_folder / "data").rglob("*") if path.is_file()}


class TestMaintenance:
    def test_keeps_what_the_retention_promises(self, lake: Lake) -> None:
        states = {publish(lake, {"1": str(number)}): {"1": str(number)} for number in range(6)}
        done = lake.maintain(SETTINGS)
        assert done.snapshots_expired == 0
        assert done.files_compacted
        assert {snapshot: people(lake, snapshot) for snapshot in states} == states

    def test_forgets_what_is_over_but_never_the_newest(self, lake: Lake, tmp_path: Path) -> None:
        old, new = publish(lake, {"1": "a"}), publish(lake, {"1": "b", "2": "b"})
        done = lake.maintain(NOW_OVER)
        assert done.snapshots_expired > 0
        assert done.files_removed > 0
        assert people(lake) == people(lake, new) == {"1": "b", "2": "b"}
        for reads in (
            lambda: people(lake, old),
            lambda: read_past(lake, PERSONS, old),
            lambda: lake.changes(PERSONS, old, new),
            lambda: lake.changes(PERSONS, SnapshotId(0), new),
            lambda: lake.search(PERSONS, Search(conditions=()), old, timeout_s=300),
            lambda: lake.rollback(PERSONS, old, ""),
            lambda: lake.pin(old),
        ):
            with pytest.raises(HistoryExpired):
                reads()
        info = lake.info(PERSONS)
        assert info is not None
        assert (info.snapshot, info.rows) == (new, 2)
        assert len(lake.runs()) == 2

    def test_knows_no_snapshot_that_is_still_to_come(self, lake: Lake) -> None:
        newest = publish(lake, {"1": "a"})
        assert read_past(lake, PERSONS, newest).info.snapshot == newest
        with pytest.raises(SnapshotUnknown):
            read_past(lake, PERSONS, SnapshotId(newest + 1))

    def test_keeps_the_newest_of_a_dataset_that_stands_still(self, lake: Lake) -> None:
        lake.prepare(TOWNS)
        town = lake.publish(TOWNS, a_delivery([{"code": "0851"}], dataset=TOWNS))
        for number in range(3):
            publish(lake, {"1": str(number)})
        lake.maintain(NOW_OVER)
        assert lake.scan(TOWNS, snapshot=town.snapshot).read_all().to_pylist() == [{"code": "0851"}]

    def test_says_beforehand_what_it_will_do_and_then_does_it(self, lake: Lake, tmp_path: Path) -> None:
        for number in range(3):
            publish(lake, {"1": str(number)})
        before = files(tmp_path / "lake")
        told = lake.maintain(NOW_OVER, dry_run=True)
        assert files(tmp_path / "lake") == before
        done = lake.maintain(NOW_OVER)
        # Compaction adds a snapshot of its own.
        assert done.snapshots_expired >= told.snapshots_expired > 0

    def test_removes_what_a_crash_left(self, lake: Lake, tmp_path: Path) -> None:
        publish(lake, {"1": "a"})
        stray = next(iter(files(tmp_path / "lake"))).parent / "ducklake-of-the-dead.parquet"
        stray.write_bytes(b"half a file")
        assert lake.maintain(SETTINGS).orphans_removed == 1
        assert not stray.exists()
        assert people(lake) == {"1": "a"}

    def test_forgets_held_back_lines_whose_time_is_over(self, lake: Lake) -> None:
        delivery = a_delivery([a_row("1")])
        line = {
            "register": "cpr", "dataset": "persons", "run": "r", "source": "s", "file": "f", "line": 1, "rule": "x",
            "reason": "y", "text": "z", "frame": "", "at": delivery.run.started,
        }  # fmt: skip
        lake.publish(PERSONS, replace(delivery, quarantine=pa.Table.from_pylist([line], QUARANTINE)))
        assert lake.maintain(SETTINGS).quarantine_removed == 0
        assert lake.quarantined(PERSONS).num_rows == 1
        assert lake.maintain(NOW_OVER).quarantine_removed == 1
        assert lake.quarantined(PERSONS).num_rows == 0

    def test_changes_nothing_in_the_feed(self, lake: Lake, tmp_path: Path) -> None:
        first = publish(lake, {f"{number:04d}": "a" for number in range(200)})
        second = publish(lake, {f"{number:04d}": "a" if number < 50 else "b" for number in range(0, 200, 2)})
        refresh_segments(lake, PERSONS, tmp_path / "segments", SETTINGS)
        feed = lake.changes(PERSONS, first, second)
        assert lake.maintain(SETTINGS).files_compacted
        third = publish(lake, {"0001": "b"}, Mode.DELTA)
        assert lake.changes(PERSONS, first, second).equals(feed)
        assert lake.changes(PERSONS, second, third)["pnr"].to_pylist() == ["0001"]
        refresh_segments(lake, PERSONS, tmp_path / "segments", SETTINGS)
        reader = Lookups(tmp_path / "segments", [PERSONS.id]).reader(PERSONS.id)
        assert {key: row["status"] for key in people(lake) if (row := reader.get(key)) is not None} == people(lake)

    def test_lets_segments_that_fell_behind_be_made_anew(self, lake: Lake, tmp_path: Path) -> None:
        publish(lake, {"1": "a", "2": "a"})
        refresh_segments(lake, PERSONS, tmp_path / "segments", SETTINGS)
        publish(lake, {"1": "b", "2": "a", "3": "b"})
        publish(lake, {"1": "c", "3": "c"})
        lake.maintain(NOW_OVER)
        refresh_segments(lake, PERSONS, tmp_path / "segments", SETTINGS)
        reader = Lookups(tmp_path / "segments", [PERSONS.id]).reader(PERSONS.id)
        assert reader.get("2") is None
        assert [reader.get(key) for key in "13"] == [a_row("1", status="c"), a_row("3", status="c")]


some = st.dictionaries(st.integers(0, 9).map(str), st.sampled_from("abc"), min_size=2, max_size=10)


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rows=st.lists(some, min_size=4, max_size=6), upkeep=st.sets(st.integers(0, 5), min_size=1))
def test_the_feed_between_any_two_publications_is_their_difference_whatever_was_compacted(
    lake: Lake, rows: list[dict[str, str]], upkeep: set[int]
) -> None:
    held: list[tuple[SnapshotId, dict[str, str]]] = []
    for number, state in enumerate(rows):
        held.append((publish(lake, state), state))
        if number in upkeep:
            lake.maintain(SETTINGS)
    for (since, before), (until, after) in combinations(held, 2):
        feed = lake.changes(PERSONS, since, until).to_pylist()
        told = {row["pnr"]: (row["_change"], row["status"]) for row in feed}
        assert len(told) == len(feed)
        wanted: dict[str, tuple[str, str | None]] = dict.fromkeys(before.keys() - after.keys(), ("delete", None))
        wanted |= {key: ("insert", after[key]) for key in after.keys() - before.keys()}
        for key in before.keys() & after.keys():
            if before[key] != after[key] or key in told:
                wanted[key] = ("update", after[key])
        assert told == wanted


class TestAPinnedReader:
    def test_reads_its_snapshot_to_the_end(self, tmp_path: Path) -> None:
        with Lake.open(tmp_path / "lake", SETTINGS, write=True) as lake:
            lake.prepare(PERSONS)
            everybody = {f"{number:06d}": "a" for number in range(4_000)}
            old = publish(lake, everybody)
            with Lake.open(tmp_path / "lake", SETTINGS, write=False) as other:
                reader = other.scan(PERSONS, snapshot=old, columns=["pnr"], batch_rows=2_048)
                read = reader.read_next_batch().num_rows
                publish(lake, {"9": "b"})
                done = lake.maintain(NOW_OVER)
                assert done.snapshots_kept == 1
                read += reader.read_all().num_rows
                assert read == 4_000
                assert people(other, old) == everybody
                del reader
                done = lake.maintain(NOW_OVER)
                assert (done.snapshots_kept, done.files_waiting) == (0, 0)
                with pytest.raises(HistoryExpired):
                    people(other, old)

    def test_that_was_killed_holds_nothing(self, lake: Lake, tmp_path: Path) -> None:
        old = publish(lake, {"1": "a"})
        publish(lake, {"1": "b"})
        script = (
            "import sys; from pathlib import Path; from replica.pins import Pins;"
            "pin = Pins(Path(sys.argv[1])).take(int(sys.argv[2])); print('held', flush=True); sys.stdin.read()"
        )
        reader = subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "lake" / "pins"), str(old)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        with reader:
            assert reader.stdout is not None
            assert reader.stdout.readline() == b"held\n"
            assert lake.maintain(NOW_OVER).snapshots_kept == 1
            assert people(lake, old) == {"1": "a"}
            os.kill(reader.pid, signal.SIGKILL)
        assert lake.maintain(NOW_OVER).snapshots_kept == 0
        with pytest.raises(HistoryExpired):
            people(lake, old)

    def test_is_never_broken_by_what_goes_on_beside_it(self, lake: Lake, tmp_path: Path) -> None:
        publish(lake, {"1": "0"})
        stop, faults = threading.Event(), list[BaseException]()

        def read_on() -> None:
            try:
                with Lake.open(tmp_path / "lake", SETTINGS, write=False) as other:
                    while not stop.is_set():
                        info = other.info(PERSONS)
                        assert info is not None
                        try:
                            assert len(people(other, info.snapshot)) == 1
                            other.search(PERSONS, Search(conditions=()), info.snapshot, timeout_s=300)
                        except HistoryExpired:
                            # Two publications and an expiry came between the question and the reading.
                            continue
            except BaseException as fault:
                faults.append(fault)

        reader = threading.Thread(target=read_on)
        reader.start()
        for number in range(5):
            publish(lake, {"1": str(number + 1)})
            lake.maintain(NOW_OVER)
        stop.set()
        reader.join()
        assert faults == []


states = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["01", "90", "20"]), min_size=1)


class TestGoingBack:
    @settings(
        max_examples=12,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(old=states, bad=states)
    def test_gives_the_old_rows_and_consumers_a_correcting_delta(
        self, lake: Lake, old: dict[str, str], bad: dict[str, str]
    ) -> None:
        before, spoiled = publish(lake, old), publish(lake, bad)
        consumer = dict(bad)
        done = lake.rollback(PERSONS, before, "a bad delivery")
        assert people(lake) == old
        assert done.changed is (old != bad)
        assert done.rows == len(old)
        for row in lake.changes(PERSONS, spoiled, done.snapshot).to_pylist():
            if row["_change"] == "delete":
                del consumer[row["pnr"]]
            else:
                assert (row["_change"] == "insert") is (row["pnr"] not in consumer)
                consumer[row["pnr"]] = row["status"]
        assert consumer == old
        assert people(lake, spoiled) == bad

    def test_is_on_record_and_leaves_the_source_where_it_stood(self, lake: Lake) -> None:
        old = publish(lake, {"1": "a"}, cursor='{"at": 1}', content_sha256="1" * 64)
        publish(lake, {"1": "b"}, cursor='{"at": 2}', content_sha256="2" * 64)
        lake.rollback(PERSONS, old, "half a delivery")
        run = lake.runs(dataset=PERSONS.id)[0]
        assert (run.source, run.cursor) == (ROLLBACK, f'{{"to": {old}, "reason": "half a delivery"}}')
        last = lake.last_run("a source")
        assert last is not None
        assert (last.cursor, last.content_sha256) == ('{"at": 2}', "2" * 64)

    def test_can_be_looked_at_first(self, lake: Lake) -> None:
        old, bad = publish(lake, {"1": "a", "2": "a"}), publish(lake, {"1": "b", "3": "b"})

        class Looked(Exception):
            pass

        def look(counts: Any) -> None:
            assert (counts.inserted, counts.updated, counts.deleted) == (1, 1, 1)
            raise Looked

        with pytest.raises(Looked):
            lake.rollback(PERSONS, old, "", look)
        assert people(lake) == people(lake, bad)

    def test_to_other_columns_is_refused(self, lake: Lake) -> None:
        old = publish(lake, {"1": "a"})
        grown = replace(
            PERSONS,
            columns=(*PERSONS.columns, Column(name="more", kind=Kind.TEXT, classification=Classification.PERSONAL)),
        )
        contract = AppliedContract(register="cpr", version="2.0.0", applied=datetime.now(UTC), files={})
        lake.evolve(contract, [(PERSONS, grown)])
        with pytest.raises(RollbackImpossible):
            lake.rollback(grown, old, "")
