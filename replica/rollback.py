"""Going back: what must change so that a dataset's rows are those of an earlier snapshot again.

History is not rewritten. The old rows are compared with the mirror like a full delivery, and what differs becomes a
new publication, so the change feed carries a correcting delta.
"""

import json
from datetime import datetime
from typing import Final

import duckdb
import pyarrow as pa

from kernel import SnapshotId, new_id
from replica.delivery import QUARANTINE, Counts, Delivery, Mode, RunRecord, SnapshotInfo
from replica.errors import RollbackImpossible
from replica.merge import compare, counted, take_over
from replica.statements import listed, quoted, table
from schemas import Dataset

ROLLBACK: Final = "rollback"
"""The source of such runs. Being no real source's, its record leaves every source's cursor as it is."""


def differences(
    cursor: duckdb.DuckDBPyConnection, dataset: Dataset, snapshot: SnapshotId
) -> tuple[Counts, tuple[str, ...]]:
    """What going back would do, and the statements that do it inside a transaction.

    Raises RollbackImpossible when the dataset had other columns then.
    """
    old = f"{table(dataset)} AT (VERSION => {int(snapshot)})"
    columns = cursor.execute(f"DESCRIBE SELECT * FROM {old}").fetchall()
    now = cursor.execute(f"DESCRIBE {table(dataset)}").fetchall()
    if sorted(row[:2] for row in columns) != sorted(row[:2] for row in now):
        raise RollbackImpossible(
            f"{dataset.id} had other columns in snapshot {snapshot}",
            remedy="go back to a snapshot after the last `knudepunkt contract apply`, or deliver the data again",
            rule="replica.rollback",
        )
    cursor.execute(f"CREATE OR REPLACE TEMP VIEW incoming AS SELECT {listed(dataset.names)} FROM {old}")
    cursor.register("gone", pa.table({"key": pa.array([], pa.string())}))
    for statement in compare(dataset, Mode.FULL):
        cursor.execute(statement)
    before, rows = (_height(cursor, each) for each in (table(dataset), "incoming"))
    counts = counted(cursor, before, rows)
    # Read before the transaction: inside it, only what differs is touched.
    cursor.execute(
        f"CREATE OR REPLACE TEMP TABLE former AS SELECT {listed(dataset.names)} FROM {old}"
        f" WHERE {quoted(dataset.key)} IN (SELECT key FROM change WHERE what <> 'delete')"
    )
    cursor.execute("CREATE OR REPLACE TEMP VIEW incoming AS SELECT * FROM former")
    return counts, take_over(dataset) if counts.changed else ()


def correction(dataset: Dataset, to: SnapshotInfo, reason: str, started: datetime) -> Delivery:
    """The record of going back, as a delivery of nothing else."""
    return Delivery(
        rows=dataset.arrow.empty_table(),
        mode=Mode.FULL,
        quarantine=QUARANTINE.empty_table(),
        run=RunRecord(
            run=new_id(),
            source=ROLLBACK,
            mode=Mode.FULL,
            started=started,
            content_sha256="",
            cursor=json.dumps({"to": to.snapshot, "reason": reason}, ensure_ascii=False),
            as_of=to.as_of,
            lines_in=0,
            lines_quarantined=0,
            rows_in=0,
            rows_quarantined=0,
        ),
    )


def _height(cursor: duckdb.DuckDBPyConnection, name: str) -> int:
    row = cursor.execute(f"SELECT count(*) FROM {name}").fetchone()
    return int(row[0]) if row is not None else 0
