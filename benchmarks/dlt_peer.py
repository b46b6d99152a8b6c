"""The peer of benchmarks/sync.py: dlt merging the same files of changes into a DuckDB table of the same rows.

python -m benchmarks.dlt_peer <folder> <Arrow file of all rows> <Parquet file of changes>...

Prints the seconds of each merge as JSON: reading the file, dlt's extract, normalize and load, and its merge by primary
key. The first load is not timed.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

LOAD_ROWS = 500_000


def main(folder: Path, rows: Path, changes: list[Path]) -> None:
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    os.environ["DLT_DATA_DIR"] = str(folder / "dlt")
    import dlt

    pipeline = dlt.pipeline(
        "bench",
        destination=dlt.destinations.duckdb(str(folder / "dlt.duckdb")),
        dataset_name="bench",
        pipelines_dir=str(folder / "pipelines"),
    )

    def load(tables: Iterator[pa.Table]) -> float:
        resource = dlt.resource(tables, name="persons", primary_key="pnr", write_disposition="merge")
        began = time.perf_counter()
        pipeline.run(resource).raise_on_failed_jobs()
        return time.perf_counter() - began

    with pa.memory_map(str(rows)) as source:
        everything = pa.ipc.open_file(source).read_all()
        load(everything.slice(start, LOAD_ROWS) for start in range(0, everything.num_rows, LOAD_ROWS))
    print(json.dumps([load(iter([pq.read_table(path)])) for path in changes]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
