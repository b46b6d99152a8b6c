"""Reading the mirror: rows of a snapshot, what changed between two, and what a search finds.

Whatever is read is pinned while it is read: maintenance leaves it alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from datetime import date, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa

from kernel import DatasetId, SnapshotId
from replica import deltas, statements
from replica.books import Books, rows_of, values_of
from replica.delivery import SnapshotInfo
from replica.engine import give_back
from replica.errors import DatasetNotReady, HistoryExpired, SnapshotUnknown
from replica.patience import within_time
from replica.pins import Pin
from replica.queries import query
from replica.rollback import ROLLBACK
from replica.search import Found, Search, page_of, search_statement, snapshot_of
from schemas import Dataset

PACKED_ROWS: Final = 65_536
"""Rows per batch of what segments are made of."""
RANGE_ROWS: Final = 262_144
"""Rows that are sorted at a time, about: a base of any size is made in the memory of these."""
SAMPLE_ROWS: Final = 1_024
FIRST_ROWS: Final = 16_384
"""Rows of the first range, about: what is sorted before anybody sees a row."""


class Reading(Books):
    """The reader's side of an open lake. Methods may be called from several threads."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection) -> None:
        super().__init__(folder, con)
        # What the last publication changed, as the change feed would tell: who asks next wants just that, and to read
        # which rows were deleted costs a scan of the keys.
        self._latest: tuple[tuple[DatasetId, int, int], pa.Table | None] = ((DatasetId(""), 0, 0), None)

    def scan(
        self,
        dataset: Dataset,
        *,
        snapshot: SnapshotId | None = None,
        columns: Sequence[str] | None = None,
        rows: Mapping[str, frozenset[str]] | None = None,
        hide_protected_on: date | None = None,
        keys: tuple[str | None, str | None] | None = None,
        batch_rows: int = 65_536,
    ) -> pa.RecordBatchReader:
        """Stream rows sorted by key, in batches of at most `batch_rows`: the first come soon, whatever the size.

        snapshot            None for the dataset's newest
        rows                column -> the values it may hold; other rows are left out
        hide_protected_on   the day on which protection is judged: PROTECTED columns of rows protected then are null
        keys                from the first on and before the second, None for no end; None for all

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
        cursor = self._con.cursor()
        # The first range is small and begun here: its rows come at once, and what cannot be read is told before
        # anything is promised.
        if keys is None:
            early = cursor.execute(statements.early_key(dataset, snapshot, FIRST_ROWS)).fetchone()
            start = None if early is None else early[0]
            begun = partial(found, None, start)
        else:
            start, begun = None, partial(found, *keys)
        first = _answered(cursor, begun).to_arrow_reader(batch_rows)

        def ranges() -> Iterator[pa.RecordBatch]:
            yield from first
            if start is None:
                return
            bounds = [start, *(key for key in self._pivots(cursor, dataset, snapshot) if key > start), None]
            for low, high in pairwise(bounds):
                yield from _answered(cursor, partial(found, low, high)).to_arrow_reader(batch_rows)

        schema = pa.schema([dataset.arrow.field(name) for name in chosen])
        return pa.RecordBatchReader.from_batches(schema, _as(schema, ranges(), cursor, pin))

    def info_at(self, dataset: Dataset, moment: datetime | SnapshotId) -> SnapshotInfo:
        """The dataset as it was mirrored at a time, or in a snapshot.

        Raises HistoryExpired when it was not mirrored then, or when that is not kept any more, and SnapshotUnknown for
        a snapshot that is still to be made.
        """
        values = values_of(dataset, moment)
        with self._cursor() as cursor:
            if values["time"] is None and cursor.execute(query("made"), {"snapshot": moment}).fetchone() == (0,):
                raise SnapshotUnknown(
                    "the mirror has not come to that snapshot yet",
                    remedy="name one that an answer named",
                    rule="replica.history",
                )
            info = self._info_from(cursor, query("info_at"), values, dataset.id)
            kept = info is not None and cursor.execute(query("kept"), {"snapshot": info.snapshot}).fetchone() != (0,)
        if info is None or not kept:
            raise HistoryExpired(
                f"the mirror holds no {dataset.id} of that moment",
                remedy="ask for a later one; GET /v1/catalogue tells the newest",
                rule="replica.history",
            )
        return info

    def count(self, dataset: Dataset, snapshot: SnapshotId, rows: Mapping[str, frozenset[str]]) -> int:
        """How many rows of a snapshot have those values. Raises HistoryExpired."""
        statement = partial(statements.count, dataset, snapshot, rows)
        with self._pinned(snapshot), self._cursor() as cursor:
            found = _answered(cursor, statement).fetchone()
        return int(found[0]) if found is not None else 0

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
        with self._pinned(snapshot), self._cursor() as cursor, within_time(timeout_s, cursor):
            found = cursor.execute(statement.text, statement.values).fetchall()
        total = (found[0][1] if found else 0) if search.counted else None
        return page_of([row[0] for row in found], search, snapshot, total)

    def changes(self, dataset: Dataset, since: SnapshotId, until: SnapshotId) -> pa.Table:
        """What changed after `since` up to and including `until`: `_change` (insert, update, delete) and the columns.

        One row per key, sorted; a deleted row has its key alone. Raises HistoryExpired when what is needed to tell is
        not kept any more.
        """
        schema = pa.schema([pa.field("_change", pa.string()), *dataset.arrow])
        if until <= since:
            return schema.empty_table()
        return self._feed(dataset, since, until, statements.changes).cast(schema)

    def corrections(self, dataset: Dataset, since: SnapshotId, until: SnapshotId) -> tuple[SnapshotId, ...]:
        """The publications after `since` up to `until` that took the dataset back to an earlier state.

        Raises HistoryExpired when what changed in between cannot be told any more.
        """
        values = {"dataset": dataset.id, "since": since, "until": until}
        with self._cursor() as cursor:
            if until > since:
                _first(cursor, dataset, since, until)
            found = rows_of(cursor, query("corrections"), values | {"rollback": ROLLBACK})
        return tuple(SnapshotId(row["snapshot"]) for row in found)

    def scan_delta(
        self,
        dataset: Dataset,
        view: deltas.View,
        since: deltas.AsOf,
        until: deltas.AsOf,
        *,
        batch_rows: int = 65_536,
    ) -> pa.RecordBatchReader:
        """Stream what a view has at `until` otherwise than at `since`: see `deltas.delta`. Sorted by key.

        Raises HistoryExpired, KeyError for a column that the dataset lacks.
        """
        fields = [pa.field(deltas.OPERATION, pa.string()), *(dataset.arrow.field(name) for name in view.columns)]
        schema = pa.schema(fields)
        pins = [self._pinned(moment.snapshot) for moment in (since, until)]
        cursor = self._con.cursor()
        # In one transaction, so that nothing expires between the question and the reading.
        cursor.execute("BEGIN TRANSACTION")
        moved = until.snapshot > since.snapshot
        first = _first(cursor, dataset, since.snapshot, until.snapshot) if moved else until.snapshot
        found = partial(deltas.delta, dataset, view, since, until, first)
        reader = _answered(cursor, found).to_arrow_reader(batch_rows)
        return pa.RecordBatchReader.from_batches(schema, _as(schema, reader, cursor, *pins))

    def packed(self, dataset: Dataset, snapshot: SnapshotId) -> Iterator[pa.RecordBatch]:
        """The rows of a snapshot as segments keep them, sorted by key: nested columns as one text.

        Read range by range of keys, so that no more than a range is sorted, in memory. In files that were loaded at
        once the ranges lie apart, and the others are passed over.
        """
        with self._pinned(snapshot), self._cursor() as cursor:
            pivots = self._pivots(cursor, dataset, snapshot)
            statement = statements.packed_rows(dataset, snapshot)
            for low, high in zip(["", *pivots], [*pivots, None], strict=True):
                yield from cursor.execute(statement, {"low": low, "high": high}).to_arrow_reader(PACKED_ROWS)

    def _pivots(self, cursor: duckdb.DuckDBPyConnection, dataset: Dataset, snapshot: SnapshotId) -> list[str]:
        """Keys that part a snapshot into ranges of about RANGE_ROWS; none for a small one."""
        sample = cursor.execute(statements.sampled_keys(dataset, snapshot, SAMPLE_ROWS)).fetchall()
        return [key for (key,) in sample[RANGE_ROWS // SAMPLE_ROWS :: RANGE_ROWS // SAMPLE_ROWS]]

    def packed_changes(self, dataset: Dataset, since: SnapshotId, until: SnapshotId) -> pa.Table:
        """`changes`, with rows as segments keep them. Raises HistoryExpired."""
        span, latest = self._latest
        if span == (dataset.id, since, until) and latest is not None:
            return latest
        return self._feed(dataset, since, until, statements.packed_changes)

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
        with self._cursor() as cursor:
            # In one transaction, so that nothing expires between the question and the reading.
            cursor.execute("BEGIN TRANSACTION")
            try:
                first = _first(cursor, dataset, since, until)
                return cursor.execute(text(dataset, first, until)).to_arrow_table()
            finally:
                cursor.execute("ROLLBACK")


def _first(cursor: duckdb.DuckDBPyConnection, dataset: Dataset, since: SnapshotId, until: SnapshotId) -> SnapshotId:
    """Where a change feed begins. Raises HistoryExpired."""
    values = {"dataset": dataset.id, "since": since, "until": until}
    first = rows_of(cursor, query("feed"), values)[0]["first"]
    if first is None:
        raise HistoryExpired(
            f"the change feed of {dataset.id} does not reach back to snapshot {since}",
            remedy="take the whole dataset, and go on from its snapshot",
            rule="replica.keep_days",
        )
    return SnapshotId(first)


def not_ready(dataset: Dataset) -> DatasetNotReady:
    return DatasetNotReady(f"{dataset.id} has not been mirrored yet", remedy="run `knudepunkt sync`", retry_after_s=60)


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


def _as(
    schema: pa.Schema, reader: Iterable[pa.RecordBatch], cursor: duckdb.DuckDBPyConnection, *pins: Pin
) -> Iterator[pa.RecordBatch]:
    with ExitStack() as held:
        held.callback(_at_rest, cursor)
        for pin in pins:
            held.enter_context(pin)
        for batch in reader:
            yield batch if batch.schema.equals(schema) else batch.cast(schema)


def _at_rest(cursor: duckdb.DuckDBPyConnection) -> None:
    # The lake may have been closed before what was read from it, and has then given everything back.
    with suppress(duckdb.Error):
        give_back(cursor)
