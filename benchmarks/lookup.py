"""How fast is a key lookup in the process, for a flat row and for a whole person, beside DuckDB's index and SQLite?

Flat rows have 23 columns, the width of a plain person table. Persons are those of the shipped generator, decoded by
the shipped decoder, and repeated under new numbers until there are enough. All peers hold the same flat rows and
are asked for keys at random, in rounds one after the other.
"""

import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from benchmarks.result import percentile, result
from kernel import DatasetId, SystemClock, new_id
from replica import (
    QUARANTINE,
    Delivery,
    Lake,
    LookupReader,
    Lookups,
    Mode,
    ReplicaSettings,
    RunRecord,
    refresh_segments,
)
from schemas import SHIPPED, Column, Dataset, Kind, load_registers
from sync import load_sources, run_source, write_testdata

ROUNDS = 5
SEED = 20261123
FLAT = Dataset(
    register="bench",
    name="flat",
    key="key",
    columns=(
        Column(name="key", kind=Kind.TEXT, required=True),
        *(Column(name=f"text_{n}", kind=Kind.TEXT) for n in range(12)),
        *(Column(name=f"number_{n}", kind=Kind.INTEGER) for n in range(5)),
        *(Column(name=f"day_{n}", kind=Kind.DATE) for n in range(5)),
    ),
)
SETTINGS = ReplicaSettings(encrypt=False, memory_limit="8GB")
MOST_PERSONS = 1_000_000
"""Whole persons are 3 kB each in a segment: more of them than fit into memory measure the disk."""
ASKED = 200_000
"""Keys that are asked for at random."""
RESIDENT_LOOKUPS = 100_000
TARGETS = {
    "segment_p50_us": ("at_most", 30.0),
    "segment_p99_us": ("at_most", 150.0),
    "nested_p50_us": ("at_most", 60.0),
    "nested_p99_us": ("at_most", 250.0),
    "duckdb_index_to_segment_ratio": ("at_least", 40.0),
}


def measure(
    rows: int, *, persons: int | None = None, lookups: int = 20_000, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """The result object; `lookups` are timed for each figure. Whole persons are min(rows, MOST_PERSONS) unless told."""
    many = min(rows, MOST_PERSONS) if persons is None else persons
    chance = random.Random(SEED)
    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as name:
        folder = Path(name)
        progress(f"Making {rows:,} flat rows ...")
        flat = flat_rows(rows)
        reader, flat_load_s = mirrored(folder / "flat", FLAT, flat)
        progress("Filling DuckDB and SQLite with the same rows ...")
        duck, lite = indexed_duckdb(folder / "rows.duckdb", flat), indexed_sqlite(folder / "rows.sqlite", flat)
        keys = flat["key"].take([chance.randrange(rows) for _ in range(min(rows, ASKED))]).to_pylist()
        del flat
        progress(f"Making {many:,} persons ...")
        whole, dataset = many_persons(folder, many)
        nested_keys = whole[dataset.key].take([chance.randrange(many) for _ in range(min(many, ASKED))]).to_pylist()
        nested, nested_load_s = mirrored(folder / "nested", dataset, whole)
        del whole
        progress("Looking up ...")
        asked = {
            "segment": (reader.get, keys),
            "nested": (nested.get, nested_keys),
            "duckdb_index": (duck, keys),
            "sqlite": (lite, keys),
        }
        times = interleaved(asked, lookups)
        batches = sorted(timed(lambda: reader.get_many(chance.sample(keys, min(1_000, len(keys))))) for _ in range(50))
        open_s = timed(lambda: Lookups(folder / "nested", [dataset.id]).reader(dataset.id))
        progress(f"{RESIDENT_LOOKUPS:,} lookups in a process of its own ...")
        memory = {
            "flat": resident(folder / "flat", FLAT.id, keys, folder),
            "nested": resident(folder / "nested", dataset.id, nested_keys, folder),
        }
    figures: dict[str, float] = {}
    for what, values in times.items():
        figures[f"{what}_p50_us"] = percentile(values, 0.5) * 1e6
        figures[f"{what}_p99_us"] = percentile(values, 0.99) * 1e6
    figures["duckdb_index_to_segment_ratio"] = figures["duckdb_index_p50_us"] / figures["segment_p50_us"]
    figures["sqlite_to_segment_ratio"] = figures["sqlite_p50_us"] / figures["segment_p50_us"]
    figures["thousand_keys_p50_ms"] = percentile(batches, 0.5) * 1e3
    figures["segment_open_ms"] = open_s * 1e3
    for what, (_, half, end) in memory.items():
        figures[f"{what}_resident_anonymous_mb"], figures[f"{what}_resident_mapped_mb"] = end
        figures[f"{what}_resident_growth_mb"] = end[0] - half[0]
    figures["flat_publish_s"], figures["nested_publish_s"] = flat_load_s, nested_load_s
    figures["nested_rows"] = many
    return result("lookup", rows, figures, TARGETS)


def timed(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def resident(root: Path, dataset: DatasetId, keys: list[str], folder: Path) -> list[list[float]]:
    """[anonymous, mapped] MB of a process: before its lookups, half way, at their end."""
    file = folder / "keys"
    file.write_text("\n".join(keys))
    command = [sys.executable, "-m", "benchmarks.resident", str(root), dataset, str(RESIDENT_LOOKUPS), str(file)]
    found: list[list[float]] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def flat_rows(rows: int) -> pa.Table:
    """Rows with sorted ten-digit keys that leave gaps, made from a seed."""
    number = pl.int_range(rows, eager=True)
    texts = pl.Series([f"værdi {n:05d}" for n in range(50_000)])
    chance = random.Random(SEED)
    columns = {"key": (1_000_000_000 + number * 7).cast(pl.String)}
    for column in FLAT.columns[1:]:
        mixed = (number * chance.randrange(1, 1_000_003) + chance.randrange(1_000_003)) % 50_000
        match column.kind:
            case Kind.TEXT:
                columns[column.name] = texts.gather(mixed)
            case Kind.DATE:
                columns[column.name] = mixed.cast(pl.Int32).cast(pl.Date)
            case _:
                columns[column.name] = mixed
    return pl.DataFrame(columns).to_arrow(compat_level=pl.CompatLevel.oldest()).cast(FLAT.arrow)


def many_persons(folder: Path, rows: int) -> tuple[pa.Table, Dataset]:
    """`rows` whole persons: generated ones, decoded, then repeated under new numbers."""
    few = min(rows, 20_000)
    dataset = load_registers(SHIPPED).dataset(DatasetId("cpr.persons"))
    write_testdata(folder / "inbox", few, SEED)
    (source,) = (each for each in load_sources(SHIPPED, root=folder) if each.dataset == dataset.id)
    with Lake.open(folder / "few", SETTINGS, write=True) as lake:
        run_source(source, dataset, lake, clock=SystemClock(), work=folder / "work")
        made = lake.scan(dataset).read_all().combine_chunks()
    times = -(-rows // made.num_rows)
    table = pa.concat_tables([made] * times).slice(0, rows)
    numbers = (1_000_000_000 + pl.int_range(rows, eager=True) * 3).cast(pl.String)
    at = table.schema.get_field_index(dataset.key)
    return table.set_column(at, dataset.arrow.field(dataset.key), numbers.to_arrow().cast(pa.string())), dataset


def mirrored(folder: Path, dataset: Dataset, rows: pa.Table) -> tuple[LookupReader, float]:
    """A reader of these rows, through a real lake and real segments, and the seconds from rows to reader."""
    now = datetime.now(UTC)
    record = RunRecord(
        run=new_id(), source="bench", mode=Mode.FULL, started=now, content_sha256="", cursor="", as_of=now,
        lines_in=rows.num_rows, lines_quarantined=0, rows_in=rows.num_rows, rows_quarantined=0,
    )  # fmt: skip
    delivery = Delivery(rows=rows, mode=Mode.FULL, quarantine=QUARANTINE.empty_table(), run=record)
    began = time.perf_counter()
    with Lake.open(folder / "lake", SETTINGS, write=True) as lake:
        lake.prepare(dataset)
        lake.publish(dataset, delivery)
        refresh_segments(lake, dataset, folder, SETTINGS)
    reader = Lookups(folder, [dataset.id]).reader(dataset.id)
    return reader, time.perf_counter() - began


def indexed_duckdb(path: Path, rows: pa.Table) -> Callable[[str], Any]:
    """A point query on a table with a unique index (ART)."""
    con = duckdb.connect(str(path))
    con.register("incoming", rows)
    con.execute("CREATE TABLE flat AS SELECT * FROM incoming")
    con.unregister("incoming")
    con.execute("CREATE UNIQUE INDEX flat_key ON flat (key)")
    # The Python client keeps the last statement prepared as long as its text stays the same.
    return lambda key: con.execute("SELECT * FROM flat WHERE key = ?", [key]).fetchone()


def indexed_sqlite(path: Path, rows: pa.Table) -> Callable[[str], Any]:
    """A point query on a table with a primary key."""
    con = sqlite3.connect(path)
    columns = ", ".join(f"{name} {'TEXT PRIMARY KEY' if name == 'key' else ''}" for name in rows.column_names)
    con.execute(f"CREATE TABLE flat ({columns}) WITHOUT ROWID")
    marks = ", ".join("?" * rows.num_columns)
    for batch in rows.to_batches(50_000):
        texts = [column.cast(pa.string()) if pa.types.is_date(column.type) else column for column in batch.columns]
        values = zip(*(column.to_pylist() for column in texts), strict=True)
        con.executemany(f"INSERT INTO flat VALUES ({marks})", values)
    con.commit()
    return lambda key: con.execute("SELECT * FROM flat WHERE key = ?", (key,)).fetchone()


def interleaved(asked: dict[str, tuple[Callable[[str], Any], list[str]]], lookups: int) -> dict[str, list[float]]:
    """Sorted seconds per lookup, measured in rounds, so that a slow moment of the machine hits all alike."""
    chance = random.Random(SEED)
    times: dict[str, list[float]] = {what: [] for what in asked}
    clock = time.perf_counter
    for _ in range(ROUNDS):
        for what, (get, keys) in asked.items():
            chosen = [keys[chance.randrange(len(keys))] for _ in range(lookups // ROUNDS)]
            for key in chosen[:200]:
                get(key)
            for key in chosen:
                began = clock()
                found = get(key)
                times[what].append(clock() - began)
                if found is None:
                    raise RuntimeError(f"{what} did not find a key that is there")
    return {what: sorted(values) for what, values in times.items()}
