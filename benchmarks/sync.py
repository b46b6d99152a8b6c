"""What does a mirror of national size cost to load, and what does a change to it cost?

Flat persons of 23 columns. The peer of the first load is a plain insert of the same rows, sorted by key, into a
DuckLake of the same settings. A change goes the whole night road: a Parquet file in the source's folder, decoded,
checked, published, segments brought up to it, and the new row found by a reader that was open before. dlt merges the
same Parquet files into a DuckDB table. All in one run, the two sizes and the two loads in turns.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.memory import PeakMemory
from benchmarks.persons import FLAT, changed_persons, flat_persons
from benchmarks.result import result
from kernel import SystemClock, new_id
from replica import (
    QUARANTINE,
    Delivery,
    Lake,
    Lookups,
    Mode,
    ReplicaSettings,
    RunRecord,
    fold_segments,
    refresh_segments,
)
from replica.engine import attach_lake, connect
from sync import Outcome, load_sources, run_source

LOADS = 2
DELTAS = 5
CHANGES = 10_000
BATCH_ROWS = 131_072
SEED = 20261123
SETTINGS = ReplicaSettings()
SOURCE = """
name: bench-persons
dataset: bench.persons
connector: {kind: folder, path: inbox, pattern: "*.parquet"}
decoder: {kind: parquet}
mode: delta
"""
TARGETS = {
    "initial_load_ratio": ("at_most", 1.5),
    "delta_10000_visible_s": ("at_most", 5.0),
    "delta_cost_ratio_10x": ("at_most", 1.5),
    "ready_s": ("at_most", 2.0),
}
WITHOUT_DLT = "dlt is not here, so it was not compared: pip install -r requirements/bench.lock"


def measure(rows: int, *, progress: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """The result object. Takes some ten minutes and 15 GB of disk for nine million rows."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as name:
        folder = Path(name)
        small, large = Mirror(folder / "small", rows // 10), Mirror(folder / "large", rows)
        for mirror in (small, large):
            progress(f"Making {mirror.rows:,} rows ...")
            mirror.make()
        plain, ours = [], []
        for turn in range(LOADS):
            progress(f"Loading {rows:,} rows, plain DuckLake, turn {turn + 1} of {LOADS} ...")
            plain.append(large.plain_load_s())
            progress(f"Loading {rows:,} rows, turn {turn + 1} of {LOADS} ...")
            with PeakMemory() as memory:
                ours.append(large.load_s())
            figures["initial_load_peak_mb"] = max(memory.mb, figures.get("initial_load_peak_mb", 0.0))
        figures["plain_insert_s"], figures["initial_load_s"] = min(plain), min(ours)
        figures["initial_load_ratio"] = min(ours) / min(plain)
        progress("Making segments ...")
        with PeakMemory() as memory:
            figures["segments_s"] = large.segments_s()
        figures["segments_peak_mb"] = memory.mb
        small.load_s()
        small.segments_s()
        visible: dict[int, list[float]] = {small.rows: [], large.rows: []}
        merged: list[float] = []
        for turn in range(DELTAS):
            for mirror in (small, large):
                progress(f"{CHANGES:,} changes on {mirror.rows:,} rows, turn {turn + 1} of {DELTAS} ...")
                published, seen = mirror.visible_s(turn)
                visible[mirror.rows].append(seen)
                merged += [published] if mirror is large else []
        figures["delta_10000_visible_s"] = median(visible[large.rows])
        figures["delta_10000_visible_worst_s"] = max(visible[large.rows])
        figures["delta_10000_visible_tenth_s"] = median(visible[small.rows])
        figures["delta_10000_published_s"] = median(merged)
        figures["delta_cost_ratio_10x"] = median(visible[large.rows]) / median(visible[small.rows])
        progress("Starting a process ...")
        figures["ready_s"] = min(large.ready_s() for _ in range(3))
        progress("Folding, and comparing a full load ...")
        figures["fold_s"] = large.fold_s()
        figures["full_compare_s"] = large.compare_s()
        if find_spec("dlt") is None:
            progress(WITHOUT_DLT)
        else:
            progress("The same changes with dlt ...")
            theirs = large.dlt_merge_s()
            figures["dlt_merge_s"] = median(theirs)
            figures["dlt_merge_ratio"] = median(theirs) / median(merged)
    return result("sync", rows, figures, TARGETS)


@dataclass(frozen=True, slots=True)
class Mirror:
    """A lake of `rows` persons below `folder`, its segments, and a source that brings changes."""

    folder: Path
    rows: int

    @property
    def everything(self) -> Path:
        return self.folder / "rows.arrow"

    def make(self) -> None:
        """The rows, in a file that is mapped when they are loaded, as a decoder spools them; and files of changes."""
        (self.folder / "inbox").mkdir(parents=True)
        (self.folder / "source").mkdir()
        (self.folder / "source" / "persons.source.yaml").write_text(SOURCE)
        with pa.OSFile(str(self.everything), "wb") as sink, pa.ipc.new_file(sink, FLAT.arrow) as writer:
            writer.write_table(flat_persons(self.rows, SEED), max_chunksize=BATCH_ROWS)
        for turn in range(DELTAS):
            changes = changed_persons(self.rows, CHANGES, SEED + turn + 1)
            pq.write_table(changes, self.folder / f"{turn}.parquet")

    def plain_load_s(self) -> float:
        """Seconds of the peer: DuckLake alone, without hash, record, comparison or check."""
        folder = emptied(self.folder / "plain")
        con = connect(folder / "scratch", memory_limit=SETTINGS.memory_limit, threads=SETTINGS.threads)
        attach_lake(con, "lake", folder, read_only=False, encrypted=SETTINGS.encrypt)
        con.register("incoming", self._mapped())
        con.execute("CREATE SCHEMA lake.bench")
        con.execute("CREATE TABLE lake.bench.persons AS SELECT * FROM incoming LIMIT 0")
        began = time.perf_counter()
        con.execute("INSERT INTO lake.bench.persons SELECT * FROM incoming ORDER BY pnr")
        took = time.perf_counter() - began
        con.close()
        emptied(folder)
        return took

    def load_s(self) -> float:
        """Seconds of the first publication, into a new lake."""
        emptied(self.folder / "lake")
        emptied(self.folder / "segments")
        return self._publish_s()

    def compare_s(self) -> float:
        """Seconds of a full load in which next to nothing is new."""
        return self._publish_s()

    def segments_s(self) -> float:
        """Seconds from the first publication to segments."""
        with self._lake() as lake:
            began = time.perf_counter()
            refresh_segments(lake, FLAT, self.folder / "segments", SETTINGS)
            return time.perf_counter() - began

    def visible_s(self, turn: int) -> tuple[float, float]:
        """Seconds of the run of the source, from file to snapshot; and from the file to its last row in a lookup.

        The second has in it what a sleeping worker does first, opening the lake, and the segments.
        """
        reader = Lookups(self.folder / "segments", [FLAT.id]).reader(FLAT.id)
        changed = pq.read_table(self.folder / f"{turn}.parquet").slice(CHANGES - 1).to_pylist()[0]
        before = reader.get(changed["pnr"])
        shutil.copyfile(self.folder / f"{turn}.parquet", self.folder / "inbox" / f"{turn}.parquet")
        began = time.perf_counter()
        published = self._take_in()
        while (found := reader.get(changed["pnr"])) == before:
            time.sleep(0.001)
        took = time.perf_counter() - began
        if found != changed:
            raise RuntimeError("a lookup shows something else than the file of changes")
        return published, took

    def ready_s(self) -> float:
        """Seconds from the start of a process to its first row."""
        code = (
            "import sys; from pathlib import Path; from replica import Lookups; "
            "print(Lookups(Path(sys.argv[1]), [sys.argv[2]]).reader(sys.argv[2]).get(sys.argv[3])['pnr'])"
        )
        key = self._mapped()["pnr"][self.rows // 2].as_py()
        began = time.perf_counter()
        command = [sys.executable, "-c", code, str(self.folder / "segments"), FLAT.id, key]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    def fold_s(self) -> float:
        """Seconds of folding all changes into a new base."""
        began = time.perf_counter()
        if not fold_segments(FLAT, self.folder / "segments", replace(SETTINGS, fold_share=0.0)):
            raise RuntimeError("there was nothing to fold")
        return time.perf_counter() - began

    def dlt_merge_s(self) -> list[float]:
        """Seconds of each merge of the same changes, by dlt into a DuckDB table."""
        folder = emptied(self.folder / "dlt")
        files = [str(self.folder / f"{turn}.parquet") for turn in range(DELTAS)]
        command = [sys.executable, "-m", "benchmarks.dlt_peer", str(folder), str(self.everything), *files]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found: list[float] = json.loads(done.stdout.splitlines()[-1])
        return found

    def _take_in(self) -> float:
        """The night road, as the worker goes it; seconds of the source's run alone."""
        (source,) = load_sources(self.folder / "source", root=self.folder)
        with self._lake() as lake:
            began = time.perf_counter()
            report = run_source(source, FLAT, lake, clock=SystemClock(), work=self.folder / "work")
            took = time.perf_counter() - began
            if report.outcome is not Outcome.PUBLISHED:
                raise RuntimeError(f"the changes were not published: {report}")
            refresh_segments(lake, FLAT, self.folder / "segments", SETTINGS)
            return took

    def _publish_s(self) -> float:
        rows, now = self._mapped(), datetime.now(UTC)
        record = RunRecord(
            run=new_id(), source="bench", mode=Mode.FULL, started=now, content_sha256="", cursor="", as_of=now,
            lines_in=self.rows, lines_quarantined=0, rows_in=self.rows, rows_quarantined=0,
        )  # fmt: skip
        delivery = Delivery(rows=rows, mode=Mode.FULL, quarantine=QUARANTINE.empty_table(), run=record)
        with self._lake() as lake:
            lake.prepare(FLAT)
            began = time.perf_counter()
            lake.publish(FLAT, delivery)
            return time.perf_counter() - began

    def _lake(self) -> Lake:
        return Lake.open(self.folder / "lake", SETTINGS, write=True)

    def _mapped(self) -> pa.Table:
        with pa.memory_map(str(self.everything)) as source:
            return pa.ipc.open_file(source).read_all()


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
