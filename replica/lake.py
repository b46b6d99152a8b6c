"""The mirror: one DuckLake per instance, a schema per register, a table per dataset, sorted by key.

Every publication is one transaction: rows, quarantine and the run's record together. A crash leaves the snapshot
before it or the snapshot after it, and the source's cursor always matches the data. One process writes at a time;
it holds a file lock that the operating system releases when the process ends, however it ends.
"""

import fcntl
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import duckdb
import pyarrow as pa

from kernel import DatasetId, SnapshotId, new_id
from replica import references, statements
from replica.delivery import QUARANTINE, Counts, Delivery, Mode, Publication, RunSummary, SnapshotInfo
from replica.engine import attach_lake, connect
from replica.errors import DatasetNotReady, HistoryExpired, LakeBusy, LakeInconsistent, SearchTooSlow
from replica.evolution import AppliedContract, alter
from replica.maintenance import Upkeep, foreseen, maintain
from replica.merge import merged, packed_change
from replica.pins import Pin, Pins
from replica.queries import query
from replica.rollback import correction, differences
from replica.search import Found, Search, page_of, search_statement, snapshot_of
from replica.settings import ReplicaSettings
from schemas import Dataset

PACKED_ROWS: Final = 65_536
"""Rows per batch of what segments are made of."""
RANGE_ROWS: Final = 262_144
"""Rows that are sorted at a time, about: a base of any size is made in the memory of these."""
SAMPLE_ROWS: Final = 1_024
REMEMBERED_ROWS: Final = 100_000
"""A larger change is read from the mirror again when segments follow it."""


class Lake:
    """The mirror in `folder`. Made by `Lake.open`; closed by `with`. Methods may be called from several threads."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection, lock: int | None) -> None:
        self._folder, self._con, self._lock = folder, con, lock
        self._pins = Pins(folder / "pins")
        # One publication at a time within the process; the file lock keeps other processes out.
        self._writing = threading.Lock()
        # What the last publication changed, as the change feed would tell: who asks next wants just that, and to read
        # which rows were deleted costs a scan of the keys.
        self._latest: tuple[tuple[DatasetId, int, int], pa.Table | None] = ((DatasetId(""), 0, 0), None)

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

    def info(self, dataset: Dataset) -> SnapshotInfo | None:
        """The dataset as it stands, None when nothing of it was ever published."""
        with self._cursor() as cursor:
            return self._info(cursor, dataset.id)

    def last_run(self, source: str) -> RunSummary | None:
        return next(iter(self.runs(source, 1)), None)

    def runs(self, source: str | None = None, limit: int = 100, dataset: str | None = None) -> list[RunSummary]:
        """Past runs, newest first."""
        with self._cursor() as cursor:
            values = {"source": source, "limit": limit, "dataset": dataset}
            return [_summary(row) for row in _rows(cursor, query("runs"), values)]

    def quarantined(self, dataset: Dataset, run: str | None = None) -> pa.Table:
        """QUARANTINE rows of a dataset, of one run or of all. They hold personal data."""
        with self._cursor() as cursor:
            values = {"register": dataset.register, "dataset": dataset.name, "run": run}
            return cursor.execute(query("quarantined"), values).to_arrow_table().cast(QUARANTINE)

    def scan(
        self,
        dataset: Dataset,
        *,
        snapshot: SnapshotId | None = None,
        columns: Sequence[str] | None = None,
        rows: Mapping[str, frozenset[str]] | None = None,
        hide_protected_on: date | None = None,
        batch_rows: int = 65_536,
    ) -> pa.RecordBatchReader:
        """Stream rows sorted by key.

        snapshot            None for the dataset's newest
        rows                column -> the values it may hold; other rows are left out
        hide_protected_on   the day on which protection is judged: PROTECTED columns of rows protected then are null

        The reader keeps the snapshot it began with until it has ended or nobody refers to it. Raises KeyError for a
        column that the dataset lacks, DatasetNotReady when nothing was published, HistoryExpired.
        """
        if snapshot is None:
            info = self.info(dataset)
            if info is None:
                raise not_ready(dataset)
            snapshot = info.snapshot
        chosen = tuple(columns) if columns is not None else dataset.names
        found = partial(statements.scan, dataset, snapshot, chosen, rows or {}, hide_protected_on)
        pin = self._pinned(snapshot)
        reader = _answered(self._con.cursor(), found).to_arrow_reader(batch_rows)
        schema = pa.schema([dataset.arrow.field(name) for name in chosen])
        return pa.RecordBatchReader.from_batches(schema, _as(schema, reader, pin))

    def info_at(self, dataset: Dataset, moment: datetime | SnapshotId) -> SnapshotInfo:
        """The dataset as it was mirrored at a time, or in a snapshot.

        Raises HistoryExpired when it was not mirrored then, or when that is not kept any more.
        """
        time = moment.astimezone(UTC).replace(tzinfo=None) if isinstance(moment, datetime) else None
        values = {"dataset": dataset.id, "time": time, "snapshot": None if time is not None else moment}
        with self._cursor() as cursor:
            info = self._info_from(cursor, query("info_at"), values, dataset.id)
            kept = info is not None and cursor.execute(query("kept"), {"snapshot": info.snapshot}).fetchone() != (0,)
        if info is None or not kept:
            raise HistoryExpired(
                f"the mirror holds no {dataset.id} of that moment",
                remedy="ask for a later one; GET /v1/services tells the newest",
                rule="replica.history",
            )
        return info

    def records(self, dataset: Dataset, keys: Sequence[str], snapshot: SnapshotId, columns: Sequence[str]) -> pa.Table:
        """Rows of a snapshot by their keys, in any order. Raises HistoryExpired."""
        statement = partial(statements.records, dataset, keys, snapshot, columns)
        with self._pinned(snapshot), self._cursor() as cursor:
            found = _answered(cursor, statement).to_arrow_table()
        return found.cast(pa.schema([dataset.arrow.field(name) for name in columns]))

    def search(self, dataset: Dataset, search: Search, snapshot: SnapshotId, *, timeout_s: float) -> Found:
        """A page of keys: of `snapshot`, or of the one that the search's cursor pages through.

        Raises SearchInvalid, CursorInvalid, SearchTooSlow, HistoryExpired.
        """
        snapshot = snapshot if search.cursor is None else snapshot_of(search.cursor)
        statement = search_statement(dataset, search, snapshot)
        with self._pinned(snapshot), self._cursor() as cursor, _within(timeout_s, cursor):
            keys = [key for (key,) in cursor.execute(statement.text, statement.values).fetchall()]
        return page_of(keys, search, snapshot)

    def changes(self, dataset: Dataset, since: SnapshotId, until: SnapshotId) -> pa.Table:
        """What changed after `since` up to and including `until`: `_change` (insert, update, delete) and the columns.

        One row per key, sorted; a deleted row has its key alone. Raises HistoryExpired when what is needed to tell is
        not kept any more.
        """
        schema = pa.schema([pa.field("_change", pa.string()), *dataset.arrow])
        if until <= since:
            return schema.empty_table()
        return self._feed(dataset, since, until, statements.changes).cast(schema)

    def packed(self, dataset: Dataset, snapshot: SnapshotId) -> Iterator[pa.RecordBatch]:
        """The rows of a snapshot as segments keep them, sorted by key: nested columns as one text.

        Read range by range of keys, so that no more than a range is sorted, in memory. In files that were loaded at
        once the ranges lie apart, and the others are passed over.
        """
        with self._pinned(snapshot), self._cursor() as cursor:
            sample = cursor.execute(statements.sampled_keys(dataset, snapshot, SAMPLE_ROWS)).fetchall()
            pivots = [key for (key,) in sample[RANGE_ROWS // SAMPLE_ROWS :: RANGE_ROWS // SAMPLE_ROWS]]
            statement = statements.packed_rows(dataset, snapshot)
            for low, high in zip(["", *pivots], [*pivots, None], strict=True):
                yield from cursor.execute(statement, {"low": low, "high": high}).to_arrow_reader(PACKED_ROWS)

    def packed_changes(self, dataset: Dataset, since: SnapshotId, until: SnapshotId) -> pa.Table:
        """`changes`, with rows as segments keep them. Raises HistoryExpired."""
        span, latest = self._latest
        if span == (dataset.id, since, until) and latest is not None:
            return latest
        return self._feed(dataset, since, until, statements.packed_changes)

    def applied(self) -> dict[str, AppliedContract]:
        """The contracts that the tables follow, by register."""
        with self._cursor() as cursor:
            # A lake that is only read may be older than this table.
            there = self._exists(cursor, "knudepunkt", "contracts")
            rows = _rows(cursor, query("contracts"), {}) if there else []
        return {
            row["register"]: AppliedContract(
                **(row | {"applied": row["applied"].replace(tzinfo=UTC), "files": json.loads(row["files"])})
            )
            for row in rows
        }

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

    def present(self, dataset: DatasetId, column: str, values: pa.Array) -> pa.Array:
        """Those of the values that stand in a column now, each once. Raises DatasetNotReady."""
        return self._asked(dataset, references.present(dataset, column), values)["value"].combine_chunks()

    def texts(self, dataset: DatasetId, code: str, text: str, codes: pa.Array) -> pa.Table:
        """`code` and `text`: what the column `text` holds now where the column `code` is one of the codes.

        Raises DatasetNotReady.
        """
        return self._asked(dataset, references.texts(dataset, code, text), codes)

    def _asked(self, dataset: DatasetId, statement: str, values: pa.Array) -> pa.Table:
        with self._cursor() as cursor:
            if self._info(cursor, dataset) is None:
                raise DatasetNotReady(f"{dataset} has not been mirrored yet", remedy="run `knudepunkt sync`")
            cursor.register("asked", pa.table({"value": values}))
            return cursor.execute(statement).to_arrow_table()

    def pin(self, snapshot: SnapshotId) -> Pin:
        """Keep a snapshot from maintenance until the pin is released. Raises HistoryExpired when it is not there."""
        return self._pinned(snapshot)

    def _pinned(self, snapshot: SnapshotId) -> Pin:
        pin = self._pins.take(snapshot)
        # Asked once it is pinned: from here on it stays.
        with closing(self._con.cursor()) as cursor:
            if cursor.execute(query("kept"), {"snapshot": snapshot}).fetchone() == (0,):
                pin.release()
                raise HistoryExpired(
                    f"snapshot {snapshot} is not kept any more",
                    remedy="ask for a newer one; a search begins anew, without its cursor",
                    rule="replica.keep_days",
                )
        return pin

    def _feed(
        self,
        dataset: Dataset,
        since: SnapshotId,
        until: SnapshotId,
        text: Callable[[Dataset, SnapshotId, SnapshotId], str],
    ) -> pa.Table:
        values = {"dataset": dataset.id, "since": since, "until": until}
        with self._cursor() as cursor:
            # In one transaction, so that nothing expires between the question and the reading.
            cursor.execute("BEGIN TRANSACTION")
            try:
                first = _rows(cursor, query("feed"), values)[0]["first"]
                if first is None:
                    raise HistoryExpired(
                        f"the change feed of {dataset.id} does not reach back to snapshot {since}",
                        remedy="take the whole dataset, and go on from its snapshot",
                        rule="replica.keep_days",
                    )
                return cursor.execute(text(dataset, first, until)).to_arrow_table()
            finally:
                cursor.execute("ROLLBACK")

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._pins.take(), closing(self._con.cursor()) as cursor:
            yield cursor

    def _exists(self, cursor: duckdb.DuckDBPyConnection, register: str, name: str) -> bool:
        values = {"register": register, "name": name}
        return cursor.execute(query("exists"), values).fetchone() is not None

    def _info(self, cursor: duckdb.DuckDBPyConnection, dataset: DatasetId) -> SnapshotInfo | None:
        return self._info_from(cursor, query("info"), {"dataset": dataset}, dataset)

    def _info_from(
        self, cursor: duckdb.DuckDBPyConnection, text: str, values: dict[str, Any], dataset: DatasetId
    ) -> SnapshotInfo | None:
        row = _rows(cursor, text, values)[0]
        if row["snapshot"] is None:
            return None
        return SnapshotInfo(
            dataset=dataset,
            snapshot=SnapshotId(row["snapshot"]),
            published=row["published"].replace(tzinfo=UTC),
            as_of=row["as_of"].replace(tzinfo=UTC),
            rows=row["rows"],
        )

    def _snapshot(self, cursor: duckdb.DuckDBPyConnection) -> int:
        row = cursor.execute(query("snapshot")).fetchone()
        return int(row[0]) if row is not None else 0


def not_ready(dataset: Dataset) -> DatasetNotReady:
    return DatasetNotReady(f"{dataset.id} has not been mirrored yet", remedy="run `knudepunkt sync`", retry_after_s=60)


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


@contextmanager
def _within(timeout_s: float, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Stop what the cursor does when its time is over. Raises SearchTooSlow."""
    over, done = threading.Event(), threading.Event()

    def watch() -> None:
        if done.wait(timeout_s):
            return
        over.set()
        # An interrupt that comes between two statements is lost, so it is said again.
        while not done.wait(0.02):
            cursor.interrupt()

    watcher = threading.Thread(target=watch, name="search-timeout", daemon=True)
    watcher.start()
    try:
        yield
    except duckdb.InterruptException:
        over.set()
    finally:
        done.set()
        watcher.join()
    if over.is_set():
        raise SearchTooSlow(
            f"the search took longer than {timeout_s:g} s",
            remedy="narrow it: more conditions, or one that fewer rows meet",
            rule="replica.search_timeout_s",
        )


def _answered(
    cursor: duckdb.DuckDBPyConnection, found: Callable[..., statements.Statement]
) -> duckdb.DuckDBPyConnection:
    """Rows of a snapshot, which may be older than a column that is asked for."""
    try:
        statement = found()
        return cursor.execute(statement.text, statement.values)
    except duckdb.BinderException:
        statement = found(padded=True)
        return cursor.execute(statement.text, statement.values)


def _as(schema: pa.Schema, reader: pa.RecordBatchReader, pin: Pin) -> Iterator[pa.RecordBatch]:
    with pin:
        for batch in reader:
            yield batch if batch.schema.equals(schema) else batch.cast(schema)


def _rows(cursor: duckdb.DuckDBPyConnection, text: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = cursor.execute(text, values).to_arrow_table().to_pylist()
    return rows


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


def _summary(row: dict[str, Any]) -> RunSummary:
    times = {name: row[name].replace(tzinfo=UTC) for name in ("started", "finished", "as_of")}
    return RunSummary(**(row | times | {"mode": Mode(row["mode"]), "dataset": DatasetId(row["dataset"])}))
