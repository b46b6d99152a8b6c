"""The mirror: one DuckLake per instance, a schema per register, a table per dataset, sorted by key.

Every publication is one transaction: rows, quarantine and the run's record together. A crash leaves the snapshot
before it or the snapshot after it, and the source's cursor always matches the data. One process writes at a time;
it holds a file lock that the operating system releases when the process ends, however it ends.
"""

import fcntl
import json
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from kernel import SnapshotId, new_id
from replica import statements
from replica.delivery import Counts, Delivery, Publication
from replica.engine import attach_lake, connect
from replica.errors import DatasetNotReady, LakeBusy, LakeInconsistent
from replica.evolution import AppliedContract, alter
from replica.maintenance import Upkeep, foreseen, maintain
from replica.merge import merged, packed_change
from replica.queries import query
from replica.reading import Reading
from replica.rollback import correction, differences
from replica.settings import ReplicaSettings
from schemas import Dataset

REMEMBERED_ROWS: Final = 100_000
"""A larger change is read from the mirror again when segments follow it."""


class Lake(Reading):
    """The mirror in `folder`. Made by `Lake.open`; closed by `with`. Methods may be called from several threads."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection, lock: int | None) -> None:
        super().__init__(folder, con)
        self._lock = lock
        # One publication at a time within the process; the file lock keeps other processes out.
        self._writing = threading.Lock()

    @classmethod
    def open(cls, folder: Path, settings: ReplicaSettings, *, write: bool) -> Self:
        """Raises LakeBusy when another process writes, DatasetNotReady when there is nothing to read yet."""
        lock = None
        if write:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = _take_lock(folder / "writer.lock")
        elif not (folder / "catalog.sqlite").exists():
            raise DatasetNotReady("nothing has been mirrored yet", remedy="run `knudepunkt sync`")
        try:
            con = connect(folder / "scratch", memory_limit=settings.memory_limit, threads=settings.threads)
            attach_lake(con, "lake", folder, read_only=not write, encrypted=settings.encrypt)
            if write:
                con.execute(query("make_bookkeeping"))
        except BaseException:
            if lock is not None:
                os.close(lock)
            raise
        return cls(folder, con, lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._con.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def prepare(self, dataset: Dataset) -> None:
        """Make the dataset's table if it is not there."""
        with self._writing, self._cursor() as cursor:
            cursor.execute(statements.make_table(dataset))

    def publish(
        self, dataset: Dataset, delivery: Delivery, check: Callable[[Counts], None] = lambda _: None
    ) -> Publication:
        """Take a delivery into the mirror, in one transaction.

        Rows that are as they were are not written. A delivery that changes nothing leaves its run record and no new
        snapshot of the dataset. `check` hears what would change before anything does, and may raise.

        Raises KeysRepeated, and nothing is published, when a key stands twice in the delivery.
        """
        with self._writing, self._cursor() as cursor:
            cursor.register("incoming", delivery.rows)
            cursor.register("held", delivery.quarantine)
            gone = delivery.deletes if delivery.deletes is not None else pa.array([], pa.string())
            cursor.register("gone", pa.table({"key": gone}))
            # Everything is read, and the new snapshot's number is known, before the transaction begins: a read
            # of the catalogue inside it can collide with the commit.
            counts, takes_over = merged(cursor, dataset, delivery)
            check(counts)
            before = self._info(cursor, dataset.id)
            publication = self._commit(cursor, dataset, delivery, counts, takes_over)
            if before is not None and 0 < counts.changed <= REMEMBERED_ROWS and counts.before:
                span = (dataset.id, before.snapshot, publication.snapshot)
                self._latest = (span, cursor.execute(packed_change(dataset)).to_arrow_table())
            return publication

    def rollback(
        self,
        dataset: Dataset,
        to: datetime | SnapshotId,
        reason: str,
        check: Callable[[Counts], None] = lambda _: None,
    ) -> Publication:
        """Publish the rows of an earlier snapshot anew: history stays, and the change feed corrects consumers.

        The sources' cursors stay: what they have delivered is not loaded again. `check` hears what would change before
        anything does, and may raise. Raises HistoryExpired, RollbackImpossible.
        """
        old = self.info_at(dataset, to)
        with self._writing, self._pinned(old.snapshot), self._cursor() as cursor:
            delivery = correction(dataset, old, reason, datetime.now(UTC))
            counts, takes_over = differences(cursor, dataset, old.snapshot)
            check(counts)
            return self._commit(cursor, dataset, delivery, counts, takes_over)

    def maintain(self, settings: ReplicaSettings, *, dry_run: bool = False) -> Upkeep:
        """Forget what is no longer kept, merge small files and give the disk back. Only with the writer's lock."""
        if self._lock is None and not dry_run:
            raise LakeBusy("only the process that holds the writer's lock can maintain the mirror")
        cursor = self._con.cursor()
        with self._writing, closing(cursor):
            return (foreseen if dry_run else maintain)(cursor, self._pins, settings, datetime.now(UTC))

    def evolve(self, contract: AppliedContract, datasets: Sequence[tuple[Dataset, Dataset]]) -> None:
        """Let tables follow a contract, in one transaction, keeping their rows.

        datasets   (former, latter) of those whose columns may differ

        Raises ValueError for a change that no table can follow; nothing is changed then.
        """
        with self._writing, self._cursor() as cursor:
            altered = [(new, alter(old, new)) for old, new in datasets]
            altered = [
                (new, statements)
                for new, statements in altered
                if statements and self._exists(cursor, new.register, new.name)
            ]
            published = [new.id for new, _ in altered if self._info(cursor, new.id) is not None]
            snapshot, applied = self._snapshot(cursor) + 1, contract.applied.astimezone(UTC).replace(tzinfo=None)
            cursor.execute("BEGIN TRANSACTION")
            try:
                for _, texts in altered:
                    for statement in texts:
                        cursor.execute(statement)
                for dataset in published:
                    now = datetime.now(UTC).replace(tzinfo=None)
                    values = {"run": new_id(), "at": now, "snapshot": snapshot, "dataset": dataset}
                    cursor.execute(query("mark_evolution"), values)
                record = {"register": contract.register, "version": contract.version, "applied": applied}
                cursor.execute(query("insert_contract"), record | {"files": json.dumps(dict(contract.files))})
                cursor.execute("COMMIT")
            except BaseException:
                cursor.execute("ROLLBACK")
                raise

    def _commit(
        self,
        cursor: duckdb.DuckDBPyConnection,
        dataset: Dataset,
        delivery: Delivery,
        counts: Counts,
        takes_over: Sequence[str],
    ) -> Publication:
        before = self._info(cursor, dataset.id)
        changed = bool(takes_over)
        next_snapshot = SnapshotId(self._snapshot(cursor) + 1)
        published = datetime.now(UTC)
        new = changed or before is None
        publication = Publication(
            dataset=dataset.id,
            snapshot=next_snapshot if before is None or changed else before.snapshot,
            changed=changed,
            inserted=counts.inserted,
            updated=counts.updated,
            deleted=counts.deleted,
            unchanged=counts.unchanged,
            rows=counts.before + counts.inserted - counts.deleted,
            published=published,
        )
        cursor.execute("BEGIN TRANSACTION")
        try:
            for statement in takes_over:
                cursor.execute(statement)
            if delivery.settles is not None:
                cursor.execute(query("settle_quarantine"), {"run": delivery.settles})
            if delivery.quarantine.num_rows:
                cursor.execute(query("insert_quarantine"))
            cursor.execute(query("insert_run"), _run_values(dataset, delivery, publication, new))
            cursor.execute("COMMIT")
        except BaseException:
            cursor.execute("ROLLBACK")
            raise
        if self._snapshot(cursor) != next_snapshot:
            raise LakeInconsistent(
                f"the publication became snapshot {self._snapshot(cursor)}, not {next_snapshot}",
                remedy="somebody else writes to the lake; stop them",
            )
        return publication


def _take_lock(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise LakeBusy(
            "another process is publishing", remedy="try again when it has finished", retry_after_s=5
        ) from None
    return handle


def _run_values(dataset: Dataset, delivery: Delivery, done: Publication, new: bool) -> dict[str, Any]:
    run = delivery.run

    def naive(moment: datetime) -> datetime:
        return moment.astimezone(UTC).replace(tzinfo=None)

    return {
        "run": run.run, "source": run.source, "dataset": dataset.id, "mode": run.mode.value,
        "started": naive(run.started), "finished": naive(done.published),
        "content_sha256": run.content_sha256, "cursor": run.cursor, "as_of": naive(run.as_of),
        "lines_in": run.lines_in, "lines_quarantined": run.lines_quarantined,
        "rows_in": run.rows_in, "rows_quarantined": run.rows_quarantined,
        "inserted": done.inserted, "updated": done.updated, "deleted": done.deleted,
        "unchanged": done.unchanged, "changed": new, "snapshot": done.snapshot, "rows": done.rows,
    }  # fmt: skip
