"""What each format of an extract costs to write: from record batches in memory to bytes, compression left out, in one
process; beside DuckDB's COPY of the same rows where it has that format. In turns, in one run.

Cost is processor time over all threads, so that a busy machine does not change what is compared. Flat rows are of 23
columns; persons are whole record sets, nested, as the register delivers them, without a peer.
"""

import io
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from benchmarks.persons import flat_persons
from benchmarks.result import result
from extract import Format
from extract.formats import encode
from extract.formats.record_lines import Records
from runtime.record_forms import record_forms
from schemas import SHIPPED, load_registers
from sync.sources.cpr import CprDecoder, Manner, load_layout
from sync.testdata.delivery import generate

ROUNDS: Final = 3
BATCH_ROWS: Final = 65_536
FORMATS: Final = (Format.CSV, Format.CSV_DK, Format.NDJSON, Format.PARQUET, Format.ARROW, Format.XML)
PEERS: Final = {
    Format.CSV: "FORMAT csv, HEADER",
    Format.CSV_DK: "FORMAT csv, HEADER, DELIMITER ';'",
    Format.NDJSON: "FORMAT json",
    Format.PARQUET: "FORMAT parquet, COMPRESSION zstd",
}
RECORDS: Final = Records(record_forms(), 1, date(2031, 3, 9))

Tell = Callable[[str], None]


def measure(rows: int, persons: int, *, progress: Tell = lambda _: None) -> dict[str, Any]:
    """The result object for `rows` flat rows and `persons` whole persons."""
    figures: dict[str, float] = {}
    flat = flat_persons(rows, 7)
    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as folder:
        for kind in FORMATS:
            progress(f"{rows:,} flat rows as {kind}")
            figures |= beside(kind, flat, Path(folder) / "peer")
    progress(f"Making {persons:,} persons")
    whole = whole_persons(persons)
    for kind in (*FORMATS, Format.CPR):
        progress(f"{persons:,} persons as {kind}")
        cost = [ours(kind, whole) for _ in range(ROUNDS)]
        figures |= told(f"persons_{named(kind)}", whole.num_rows, cost)
    return result("formats", rows, figures, {})


def beside(kind: Format, table: pa.Table, file: Path) -> dict[str, float]:
    cost, peers = [], []
    for _ in range(ROUNDS):
        cost.append(ours(kind, table))
        if kind in PEERS:
            peers.append(copied(table, file, PEERS[kind]))
    figures = told(named(kind), table.num_rows, cost)
    if peers:
        cpu_s = statistics.median(peers)
        figures[f"{named(kind)}_duckdb_rows_per_cpu_s"] = table.num_rows / cpu_s
        figures[f"{named(kind)}_ratio_duckdb_copy"] = cpu_s / statistics.median(each for each, _ in cost)
    return figures


def ours(kind: Format, table: pa.Table) -> tuple[float, int]:
    """Processor seconds and bytes."""
    began = time.process_time()
    size = sum(len(piece) for piece in encode(kind, table.schema, table.to_batches(BATCH_ROWS), records=RECORDS))
    return time.process_time() - began, size


def copied(table: pa.Table, file: Path, how: str) -> float:
    """Processor seconds of DuckDB's COPY of the same rows."""
    with duckdb.connect() as con:
        con.register("flat", table)
        began = time.process_time()
        con.execute(f"COPY (FROM flat) TO '{file}' ({how})")
        return time.process_time() - began


def told(name: str, rows: int, cost: list[tuple[float, int]]) -> dict[str, float]:
    cpu_s, size = statistics.median(each for each, _ in cost), cost[0][1]
    return {
        f"{name}_cpu_s_per_100000": cpu_s / rows * 1e5,
        f"{name}_rows_per_cpu_s": rows / cpu_s,
        f"{name}_mb_per_cpu_s": size / cpu_s / 1e6,
    }


def whole_persons(count: int) -> pa.Table:
    """Fictitious persons, read by the register's decoder."""
    dataset = next(each for each in load_registers(SHIPPED).datasets if each.id == "cpr.persons")
    decoder = CprDecoder(load_layout("a"), dataset.arrow, Manner())
    delivery = io.BytesIO(b"".join(generate(count, 7)))
    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as work:
        return decoder.decode(delivery, {}, lambda _what, _more: None, Path(work)).rows


def named(kind: Format) -> str:
    return kind.value.replace("-", "_")
