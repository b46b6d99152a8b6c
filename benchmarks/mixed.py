"""Does a merge disturb those who look up? REST lookups at a fixed rate while 100,000 rows are merged, and in quiet.

Everything is as an operator has it: an instance with a register in a folder, the API in a process of its own, and
`knudepunkt sync` in another, which takes the merge from a file to the segments that the API reads. The quiet rounds lie
between the merges, so that a slow moment of the machine hits both alike. Latency counts from when a request was due.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.load import at_share
from benchmarks.lookup import FLAT, flat_rows
from benchmarks.rest import Target, load_client, serving
from benchmarks.result import result
from schemas import Kind

MERGE_ROWS: Final = 100_000
MERGES: Final = 3
RATE_PER_S: Final = 200
TARGETS: Final = {"mixed_p99_ratio": ("at_most", 3.0), "mixed_p99_ms": ("at_most", 10.0)}

Tell = Callable[[str], None]


def measure(rows: int, *, progress: Tell = lambda _: None) -> dict[str, Any]:
    """The result object for a dataset of `rows` rows."""
    from runtime.demo import set_the_stage

    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as folder:
        root = Path(folder) / "instance"
        register(root / "registers" / "bench")
        stage = set_the_stage(
            root, persons=100, seed=20310101, tell=progress, services=("bench-flat", "municipalities")
        )
        progress(f"Mirroring {rows:,} rows")
        table = flat_rows(rows)
        keys = table["key"].to_pylist()
        deliver(root, "0", table)
        initial_s = sync(root)
        arguments = ["-P", "-m", "runtime.cli", "api", "--instance", str(root), "--fd"]
        with serving(arguments) as (port, pid):
            profile = stage.profile
            target = Target(
                port=port, pids=(pid,), path="/v1/services/bench-flat/lookup",
                keys=tuple(random.Random(1).sample(keys, min(2_000, len(keys)))),
                certificate=profile.certificate, key=profile.key, authority=profile.authority,
            )  # fmt: skip
            figures = compare(root, target, table, progress)
        figures["initial_sync_s"] = initial_s
    return result("mixed", rows, figures, TARGETS)


def compare(root: Path, target: Target, table: pa.Table, progress: Tell) -> dict[str, float]:
    """Quiet and merging in turns; the length of a quiet round is that of the merge before it."""
    quiet: list[float] = []
    merging: list[float] = []
    took: list[float] = []
    seconds = 5.0
    for number in range(MERGES):
        progress(f"Round {number + 1} of {MERGES}: quiet, {RATE_PER_S} a second")
        with lookups(target, seconds) as latencies:
            time.sleep(seconds)
        quiet += latencies
        deliver(root, str(number + 1), changed(table, number + 1))
        progress(f"Round {number + 1} of {MERGES}: while {MERGE_ROWS:,} rows are merged")
        with lookups(target, None) as latencies:
            took.append(sync(root))
        merging += latencies
        seconds = max(5.0, took[-1])
    quiet.sort()
    merging.sort()
    return {
        "mixed_p99_ratio": at_share(merging, 0.99) / at_share(quiet, 0.99),
        "quiet_p50_ms": at_share(quiet, 0.50),
        "quiet_p99_ms": at_share(quiet, 0.99),
        "mixed_p50_ms": at_share(merging, 0.50),
        "mixed_p99_ms": at_share(merging, 0.99),
        "merge_s": statistics.median(took),
        "quiet_lookups": len(quiet),
        "mixed_lookups": len(merging),
    }


@contextmanager
def lookups(target: Target, seconds: float | None) -> Iterator[list[float]]:
    """Look up at the fixed rate while the block runs; afterwards the list holds every latency, milliseconds.

    seconds   None: until the block ends
    """
    found: list[float] = []
    with load_client(replace(target), seconds=seconds or 3_600.0, rate=RATE_PER_S) as client:
        yield found
        seen = client.stop()
    if seen["failures"] or not seen["answers"]:
        raise RuntimeError(f"{seen['failures']} of {seen['answers'] + seen['failures']} answers were not 200")
    found += seen["latencies_ms"]


def changed(table: pa.Table, number: int) -> pa.Table:
    """MERGE_ROWS rows of the table, spread over it, with another first text."""
    chosen = sorted(random.Random(number).sample(range(table.num_rows), min(MERGE_ROWS, table.num_rows // 10)))
    rows = table.take(pa.array(chosen))
    at = rows.schema.get_field_index("text_0")
    return rows.set_column(at, rows.schema.field(at), pa.array([f"ændret {number}"] * rows.num_rows))


def deliver(root: Path, name: str, rows: pa.Table, *, register: str = "bench") -> None:
    inbox = root / "inbox" / register
    inbox.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, inbox / f".{name}.part")
    (inbox / f".{name}.part").rename(inbox / f"{name}.parquet")


def sync(root: Path, source: str = "bench-flat") -> float:
    """Run the source as an operator does; gives the seconds that it took."""
    began = time.perf_counter()
    command = [sys.executable, "-P", "-m", "runtime.cli", "sync", source, "--json", "--instance", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the sync failed: {done.stdout}{done.stderr}")
    report = json.loads(done.stdout)[0]
    if report["outcome"] != "published":
        raise RuntimeError(f"the sync published nothing: {report['outcome']}")
    return time.perf_counter() - began


def register(folder: Path) -> None:
    """The benchmark's register, as an operator writes one: contract, service, source."""
    kinds = {Kind.TEXT: "string", Kind.INTEGER: "integer", Kind.DATE: "date"}
    properties = "\n".join(
        f"      - {{name: {column.name}, logicalType: {kinds[column.kind]}"
        f"{', primaryKey: true' if column.name == FLAT.key else ''}}}"
        for column in FLAT.columns
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bench.odcs.yaml").write_text(CONTRACT + properties + "\n", encoding="utf-8")
    (folder / "bench-flat.service.yaml").write_text(SERVICE, encoding="utf-8")
    (folder / "bench-flat.source.yaml").write_text(SOURCE, encoding="utf-8")


CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: 7c0c5b52-6f0e-4f6b-8a3e-2f1b7a1c9d10
name: Benchmark
version: 1.0.0
status: active
description: {purpose: Rows of 23 columns for the benchmarks.}
schema:
  - name: flat
    logicalType: object
    customProperties:
      - {property: classification, value: public}
    properties:
"""
SERVICE = """\
name: bench-flat
uuid: 1f6d5e0a-3c43-4f5e-9a6c-0d6d3a0f7b21
version: 1.0.0
title: {da: Måling, en: Benchmark}
description: {da: Rækker til måling., en: Rows to measure with.}
status: production
service_type: lookup
integration_type: replica
dataset: bench.flat
sla_class: simple
"""
SOURCE = """\
name: bench-flat
dataset: bench.flat
connector: {kind: folder, path: inbox/bench, pattern: "*.parquet"}
decoder: {kind: parquet}
mode: delta
"""
