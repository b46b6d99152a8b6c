"""A process that has many files made: python -m tests.extract.drawer <folder> <places> <agreement> <files>

Prints how many were begun. The first row of each comes when the file `go` lies beside the folder, or the agreement is
free of that; what is at work meanwhile is a file in the folder `at-work` beside it.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from extract import ExtractPlan, ExtractStore
from extract.errors import TooManyExtracts
from kernel import AgreementId
from tests.extract.builders import plan, residents

FREE = "free"


def main(folder: str, places: str, agreement: str, files: str) -> None:
    table = residents(10).combine_chunks()
    go, at_work = Path(folder).with_name("go"), Path(folder).with_name("at-work")
    at_work.mkdir(parents=True, exist_ok=True)

    def scan(wanted: ExtractPlan) -> pa.RecordBatchReader:
        chosen = table.select(wanted.columns)

        def batches() -> Iterator[pa.RecordBatch]:
            mark = at_work / f"{agreement}.{uuid4()}"
            mark.touch()
            while agreement != FREE and not go.exists():
                time.sleep(0.01)
            yield from chosen.to_batches()
            mark.unlink()

        return pa.RecordBatchReader.from_batches(chosen.schema, batches())

    with ExtractStore(Path(folder), scan, productions=int(places)) as store:
        begun = []
        for _ in range(int(files)):
            try:
                begun.append(store.open(replace(plan(), contract_version=str(uuid4())), AgreementId(agreement)))
            except TooManyExtracts:
                continue
        print(len(begun), flush=True)  # noqa: T201
        for each in begun:
            for _ in each.chunks():
                pass


if __name__ == "__main__":
    main(*sys.argv[1:])
