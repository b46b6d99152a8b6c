"""What does a circle of very many numbers cost: to change, and to make its files of?

One subscriber who follows `numbers` persons of a register by number, in a real control database and over a real lake.
Costs are CPU time of this process, user and system, which a busy machine does not change much; memory is what the
worker's process holds of its own at its peak, libraries and all. Whether a number is anybody's is not looked up.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from benchmarks.memory import PeakMemory
from benchmarks.persons import FLAT, changed_persons, flat_persons, key_of
from benchmarks.result import result
from extract import ExtractPlan, ExtractStore, Shelf, rows_of
from extract.delivery.circle import Filter, FilterKind
from extract.delivery.circle_changes import Keys
from extract.delivery.circle_file import CircleMaker
from extract.delivery.circle_numbers import Seal
from extract.delivery.circles import Circles
from extract.delivery.making import Maker
from extract.delivery.outbox_tables import Database
from extract.delivery.parcel import Parcel
from extract.delivery.subscription import Kind, Subscription
from extract.formats.cpr_records import FieldForm, RecordForm
from kernel import Grant, SnapshotId
from replica import QUARANTINE, Lake, Mode, ReplicaSettings, RunRecord, SnapshotInfo
from replica import Delivery as Published
from schemas import Dataset
from tests.delivery.builders import Desk, database, wish
from tests.delivery.builders import TestClock as Clock
from tests.extract.builders import PUBLISHED, grant

SEED: Final = 20261128
AT_ONCE: Final = 1_000
"""Filters of one change, as many as a call over REST may have."""
SINGLES: Final = 100
CHANGED_SHARE: Final = 0.02
"""Of the register, between two files."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stand:
    lake: Lake
    desk: Desk
    circles: Circles
    maker: CircleMaker
    subscription: Subscription
    grant: Grant

    def change(self, add: Sequence[str] = (), remove: Sequence[str] = ()) -> None:
        added, removed = (tuple(Filter.of(FilterKind.NUMBER, each) for each in some) for some in (add, remove))
        self.circles.change(self.grant, add=added, remove=removed)

    def file(self) -> Parcel:
        info = self.lake.info(FLAT)
        assert info is not None
        planned = self.desk.subscriptions.plan(self.subscription.id, info.snapshot)
        assert planned is not None
        claimed = self.desk.outbox.claim()
        assert claimed is not None
        made = self.maker(self.subscription, self.grant, claimed, lambda: None)
        self.desk.outbox.arrived(self.desk.outbox.produced(claimed, made))
        return made


def measure(rows: int, *, numbers: int = 500_000, progress: Tell = lambda _: None) -> dict[str, Any]:
    """The result object for a register of `rows` persons of whom `numbers` are followed."""
    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as name:
        folder, key = Path(name), os.urandom(32)
        step = max(1, rows // numbers)
        followed = [key_of(each) for each in range(0, rows, step)][:numbers]
        with standing(folder, key) as stand:
            progress(f"Mirroring {rows:,} persons")
            _publish(stand.lake, flat_persons(rows, SEED), Mode.FULL)
            progress(f"Following {len(followed):,} of them, {AT_ONCE:,} at a time")
            figures = {"add_many_us_per_number": _each_us(len(followed), lambda: _in_batches(stand, followed))}
            figures |= _singles(stand, followed, progress)
        progress("Making the first file")
        figures |= _file("first", folder, key, days=1)
        progress("Making the next one, after a day's changes and a thousand numbers less")
        changes = int(rows * CHANGED_SHARE)
        with standing(folder, key) as stand:
            _publish(stand.lake, changed_persons(rows, changes, SEED + 1), Mode.DELTA)
            stand.change(remove=followed[:AT_ONCE])
        figures |= _file("daily", folder, key, days=2, per=changes)
        progress("Removing them all, at a time")
        left = len(followed) - AT_ONCE
        with standing(folder, key) as stand:
            figures["remove_all_us_per_number"] = _each_us(left, lambda: stand.circles.clear(stand.grant))
    return result("circle", rows, {**figures, "followed": len(followed)}, {})


@contextmanager
def standing(folder: Path, key: bytes) -> Iterator[Stand]:
    """Made the first time, opened later. key   of the circles"""
    settings = ReplicaSettings(memory_limit="500MB", threads=1)
    with database(folder) as found, Lake.open(folder / "lake", settings, write=True) as lake:
        lake.prepare(FLAT)
        clock, own = Clock(), grant()
        desk = Desk(folder, found, clock)

        def scan(plan: ExtractPlan, keys: Keys | None = None) -> pa.RecordBatchReader:
            return rows_of(lambda: lake, FLAT, plan, keys)

        with ExtractStore(folder / "files", scan, clock=clock) as store:
            circles = Circles(Database(found.reading, found.writing), Seal(key), lambda _, asked: asked, clock)
            maker = Maker(
                store=store, shelf=Shelf(folder / "shelf"), dataset_of=lambda _: FLAT, info_of=_info_of(lake),
                corrections=lambda *_: (), clock=clock,
            )  # fmt: skip
            known = desk.subscriptions.listed()
            made = known[0] if known else desk.subscriptions.add(wish(kind=Kind.CIRCLE), by="the benchmark")
            files = CircleMaker(
                maker=maker, circles=circles, scan=scan, forms=(_form(),), gone=_gone(), folder=folder / "circles"
            )
            yield Stand(lake, desk, circles, files, made, own)


def _singles(stand: Stand, followed: Sequence[str], progress: Tell) -> dict[str, float]:
    """One at a time, in a circle that holds all the others."""
    progress(f"Removing and adding {SINGLES} one at a time")
    some = followed[:: max(1, len(followed) // SINGLES)][:SINGLES]

    def remove() -> None:
        for each in some:
            stand.change(remove=[each])

    def add() -> None:
        for each in some:
            stand.change(add=[each])

    return {"remove_one_us": _each_us(len(some), remove), "add_one_us": _each_us(len(some), add)}


def _file(which: str, folder: Path, key: bytes, *, days: int, per: int | None = None) -> dict[str, float]:
    """In a process of its own, as a worker is: what was in memory before has no part in it.

    per   what the time is told for each of; the file's own rows otherwise
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        rows, cpu_s, mb = process.submit(_made, folder, key, days).result()
    return {
        f"{which}_file_rows": rows,
        f"{which}_file_cpu_s": cpu_s,
        f"{which}_file_us_per_{'changed_' if per else ''}row": cpu_s * 1e6 / (per or rows),
        f"{which}_file_mb": mb,
    }


def _made(folder: Path, key: bytes, days: int) -> tuple[int, float, float]:
    """Rows of the file, CPU seconds, and the most megabytes that the process had."""
    with standing(folder, key) as stand:
        stand.desk.clock.pass_s(timedelta(days=days).total_seconds())
        began = time.process_time()
        with PeakMemory() as memory:
            made = stand.file()
        return made.rows, time.process_time() - began, memory.mb


def _in_batches(stand: Stand, followed: Sequence[str]) -> None:
    for start in range(0, len(followed), AT_ONCE):
        stand.change(add=followed[start : start + AT_ONCE])


def _each_us(count: int, work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e6 / count


def _publish(lake: Lake, rows: pa.Table, mode: Mode) -> None:
    run = RunRecord(
        run="run", source="bench", mode=mode, started=PUBLISHED, content_sha256="0" * 64, cursor="{}",
        as_of=PUBLISHED, lines_in=len(rows), lines_quarantined=0, rows_in=len(rows), rows_quarantined=0,
    )  # fmt: skip
    lake.publish(FLAT, Published(rows=rows, mode=mode, quarantine=QUARANTINE.empty_table(), run=run))


def _info_of(lake: Lake) -> Callable[[Dataset, SnapshotId | None], SnapshotInfo]:
    def info_of(dataset: Dataset, snapshot: SnapshotId | None) -> SnapshotInfo:
        found = lake.info(dataset) if snapshot is None else lake.info_at(dataset, snapshot)
        assert found is not None
        return found

    return info_of


def _form() -> RecordForm:
    """A layout of the benchmark's own, with all columns."""
    kinds: Mapping[str, str] = {"date": "date", "integer": "number"}
    fields, start = [], 4
    for column in FLAT.columns:
        length = 10 if column.name == FLAT.key else 20
        fields.append(FieldForm(start=start, length=length, kind=kinds.get(column.kind, "text"), column=column.name))
        start += length
    return RecordForm(code="001", length=start - 1, column="", many=False, fields=tuple(fields))


def _gone() -> RecordForm:
    fields = (
        FieldForm(start=4, length=10, kind="text", column="pnr"),
        FieldForm(start=14, length=12, kind="timestamp", column="TIMESTAMPU"),
        FieldForm(start=26, length=3, kind="text", column="HAENDELSE"),
    )
    return RecordForm(code="997", length=28, column="", many=False, fields=fields)
