"""A process that makes an extract, slowly: python -m tests.extract.maker <folder> <rows> <seconds per batch>

Prints `begun` when the first slice can be read.
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from extract import ExtractPlan, ExtractStore
from tests.extract.builders import plan, residents


def main(folder: str, rows: str, pause_s: str) -> None:
    table = residents(int(rows)).combine_chunks()

    def scan(wanted: ExtractPlan) -> pa.RecordBatchReader:
        chosen = table.select(wanted.columns)

        def batches() -> Iterator[pa.RecordBatch]:
            for batch in chosen.to_batches(max_chunksize=1_000):
                yield batch
                time.sleep(float(pause_s))

        return pa.RecordBatchReader.from_batches(chosen.schema, batches())

    with ExtractStore(Path(folder), scan) as store:
        pieces = store.open(plan()).chunks()
        next(pieces)
        print("begun", flush=True)  # noqa: T201
        for _ in pieces:
            pass


if __name__ == "__main__":
    main(*sys.argv[1:])
