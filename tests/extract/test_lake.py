"""The whole bulk road on a real lake: what the plan says is what the file holds."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from extract import ExtractPlan, ExtractStore, Format, rows_of
from kernel import Grant, SnapshotId
from replica import QUARANTINE, Delivery, Lake, Mode, ReplicaSettings, RunRecord, SnapshotInfo, refresh_segments
from tests.extract.builders import FORMATS, PUBLISHED, RESIDENTS, grant, plan, residents

PLAIN = "number municipality name children income born seen alive"
"""The columns that segments keep as they are."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def lake(folder: Path) -> Iterator[Lake]:
    with Lake.open(folder, ReplicaSettings(), write=True) as lake:
        lake.prepare(RESIDENTS)
        lake.publish(RESIDENTS, delivery(residents(3_000)))
        yield lake


@pytest.fixture
def store(lake: Lake, tmp_path: Path) -> Iterator[ExtractStore]:
    with ExtractStore(tmp_path / "files", partial(rows_of, lambda: lake, RESIDENTS)) as store:
        yield store


def delivery(rows: pa.Table) -> Delivery:
    run = RunRecord(
        run="run",
        source="residents",
        mode=Mode.FULL,
        started=PUBLISHED,
        content_sha256="0" * 64,
        cursor="{}",
        as_of=datetime(2031, 3, 9, tzinfo=UTC),
        lines_in=rows.num_rows,
        lines_quarantined=0,
        rows_in=rows.num_rows,
        rows_quarantined=0,
    )
    return Delivery(rows=rows, mode=Mode.FULL, quarantine=QUARANTINE.empty_table(), run=run)


def now(lake: Lake) -> SnapshotInfo:
    found = lake.info(RESIDENTS)
    assert found is not None
    return found


def written(store: ExtractStore, made: ExtractPlan) -> bytes:
    return b"".join(store.open(made).chunks())


def test_holds_the_rows_sorted_by_key(lake: Lake, store: ExtractStore) -> None:
    made = plan(grant(protected=True), Format.PARQUET, info=now(lake))
    table = pq.read_table(pa.BufferReader(written(store, made)))
    assert table.equals(residents(3_000))
    assert store.open(made).rows == 3_000


def test_shows_no_protected_name_on_the_day_it_is_protected(lake: Lake, store: ExtractStore) -> None:
    made = plan(grant(), Format.NDJSON, info=now(lake))
    names = [json.loads(line)["name"] for line in written(store, made).splitlines()]
    assert [at for at, name in enumerate(names) if name is None] == list(range(0, 3_000, 10))


def test_shows_it_on_a_day_before(lake: Lake, store: ExtractStore) -> None:
    made = plan(grant(), Format.NDJSON, info=now(lake), today=date(2030, 12, 31))
    assert b'"name":null' not in written(store, made)


@pytest.mark.parametrize("given", [grant("number name", {"municipality": frozenset({"0102"})})])
def test_keeps_to_the_columns_and_rows_of_the_agreement(lake: Lake, store: ExtractStore, given: Grant) -> None:
    lines = written(store, plan(given, info=now(lake))).decode().split("\r\n")
    assert lines[0] == "number,name"
    assert len(lines) == 1 + 1_000 + 1


def test_is_the_same_bytes_each_time_it_is_made(lake: Lake, store: ExtractStore, tmp_path: Path) -> None:
    for kind in FORMATS:
        made = plan(grant(), kind, info=now(lake))
        first = written(store, made)
        store.open(made).path.unlink()
        assert written(store, made) == first


@pytest.fixture
def segments(lake: Lake, folder: Path) -> Path:
    refresh_segments(lake, RESIDENTS, folder / "segments", ReplicaSettings())
    return folder / "segments"


@pytest.mark.parametrize("protected", [True, False])
@pytest.mark.parametrize("scope", [{}, {"municipality": frozenset({"0102"})}])
def test_is_the_same_bytes_from_the_segments_and_from_the_mirror(
    lake: Lake, store: ExtractStore, segments: Path, scope: dict[str, frozenset[str]], protected: bool, tmp_path: Path
) -> None:
    for kind in FORMATS:
        made = plan(grant(rows=scope, protected=protected), kind, PLAIN, info=now(lake))
        here = partial(rows_of, lambda: lake, RESIDENTS, segments=segments)
        with ExtractStore(tmp_path / "other", here) as other, patch.object(Lake, "scan", side_effect=AssertionError):
            found = written(other, made)
        assert found == written(store, made)


def test_withholds_what_is_protected_also_where_there_are_segments(lake: Lake, segments: Path) -> None:
    made = plan(grant(), columns=PLAIN, info=now(lake))
    names = rows_of(lambda: lake, RESIDENTS, made, segments=segments).read_all()["name"].to_pylist()
    assert [at for at, name in enumerate(names) if name is None] == list(range(0, len(names), 10))


@pytest.mark.slow
def test_is_the_same_bytes_in_another_process(lake: Lake, store: ExtractStore, folder: Path) -> None:
    plans = [plan(grant(), kind, info=now(lake)) for kind in FORMATS]
    here = [f"{made.format} {hashlib.sha256(written(store, made)).hexdigest()}" for made in plans]
    command = [sys.executable, "-m", "tests.extract.other_process", str(folder), *FORMATS]
    there = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.splitlines()
    assert here == there


def test_of_an_old_snapshot_stays_what_it_was(lake: Lake, store: ExtractStore) -> None:
    before = now(lake)
    made = plan(grant(protected=True), Format.ARROW, columns="number", info=before)
    first = written(store, made)
    store.open(made).path.unlink()
    lake.publish(RESIDENTS, delivery(residents(3_100)))
    assert now(lake).snapshot > SnapshotId(before.snapshot)
    assert written(store, made) == first
    newer = plan(grant(protected=True), Format.ARROW, columns="number", info=now(lake))
    assert pa.ipc.open_stream(written(store, newer)).read_all().num_rows == 3_100
