"""What the mirror knows of itself: its datasets as they stand, past runs, the quarantine, the contracts it follows.

Kept in tables of the lake's own, written in the transaction of each publication.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from kernel import DatasetId, SnapshotId
from replica import references
from replica.delivery import QUARANTINE, Mode, RunSummary, SnapshotInfo
from replica.errors import DatasetNotReady
from replica.evolution import AppliedContract
from replica.pins import Pins
from replica.queries import query
from replica.statements import kept, withheld
from schemas import Dataset


class Books:
    """Of an open lake. Methods may be called from several threads."""

    def __init__(self, folder: Path, con: duckdb.DuckDBPyConnection) -> None:
        self._con, self._pins = con, Pins(folder / "pins")

    def info(self, dataset: Dataset) -> SnapshotInfo | None:
        """The dataset as it stands, None when nothing of it was ever published."""
        with self._cursor() as cursor:
            return self._info(cursor, dataset.id)

    def infos(self) -> dict[DatasetId, SnapshotInfo]:
        """As `info`, of every dataset of which something was published, in one look."""
        with self._cursor() as cursor:
            rows = rows_of(cursor, query("infos"), {})
        return {DatasetId(row["dataset"]): _info_of(row) for row in rows if row["snapshot"] is not None}

    def last_runs(self) -> dict[str, RunSummary]:
        """The last run of each source that ever ran."""
        with self._cursor() as cursor:
            runs = [_summary(row) for row in rows_of(cursor, query("last_runs"), {})]
        return {run.source: run for run in runs}

    def last_run(self, source: str) -> RunSummary | None:
        return next(iter(self.runs(source, 1)), None)

    def runs(self, source: str | None = None, limit: int = 100, dataset: str | None = None) -> list[RunSummary]:
        """Past runs, newest first."""
        with self._cursor() as cursor:
            values = {"source": source, "limit": limit, "dataset": dataset}
            return [_summary(row) for row in rows_of(cursor, query("runs"), values)]

    def quarantined(self, dataset: Dataset, run: str | None = None) -> pa.Table:
        """QUARANTINE rows of a dataset, of one run or of all. They hold personal data."""
        with self._cursor() as cursor:
            values = {"register": dataset.register, "dataset": dataset.name, "run": run}
            return cursor.execute(query("quarantined"), values).to_arrow_table().cast(QUARANTINE)

    def rows_changed(self, dataset: Dataset, since: SnapshotId, until: SnapshotId) -> int:
        """How many rows changed in a span; a row that changed twice counts twice."""
        with self._cursor() as cursor:
            values = {"dataset": dataset.id, "since": since, "until": until}
            return int(rows_of(cursor, query("rows_changed"), values)[0]["rows"])

    def applied(self) -> dict[str, AppliedContract]:
        """The contracts that the tables follow, by register."""
        with self._cursor() as cursor:
            # A lake that is only read may be older than this table.
            there = self._exists(cursor, "knudepunkt", "contracts")
            rows = rows_of(cursor, query("contracts"), {}) if there else []
        return {
            row["register"]: AppliedContract(
                **(row | {"applied": row["applied"].replace(tzinfo=UTC), "files": json.loads(row["files"])})
            )
            for row in rows
        }

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

    def within(self, rows: Mapping[str, frozenset[str]], held: pa.Table) -> pa.ChunkedArray:
        """Whether each row of `held`, which has the columns of `rows`, holds one of the values given for each."""
        statement = kept(rows)
        with self._cursor() as cursor:
            cursor.register("held", held)
            return cursor.execute(statement.text, statement.values).to_arrow_table()["kept"]

    def withheld(self, dataset: Dataset, day: date, held: pa.Table) -> pa.ChunkedArray:
        """Whether the protection of each row of `held` is active on a day; it has the list that tells so, if any."""
        statement = withheld(dataset, day)
        with self._cursor() as cursor:
            cursor.register("held", held)
            return cursor.execute(statement.text, statement.values).to_arrow_table()["withheld"]

    @contextmanager
    def _cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._pins.take(), closing(self._con.cursor()) as cursor:
            yield cursor

    def first_from(self, dataset: Dataset, moment: datetime | SnapshotId) -> tuple[SnapshotId | None, bool]:
        """The first publication at or after a moment (None: there is none), and whether there was one before. Of
        publications that are no longer kept, too.
        """
        with self._cursor() as cursor:
            row = rows_of(cursor, query("first_from"), values_of(dataset, moment))[0]
        return None if row["snapshot"] is None else SnapshotId(row["snapshot"]), row["earlier"]

    def _info(self, cursor: duckdb.DuckDBPyConnection, dataset: DatasetId) -> SnapshotInfo | None:
        return self._info_from(cursor, query("info"), {"dataset": dataset}, dataset)

    def _info_from(
        self, cursor: duckdb.DuckDBPyConnection, text: str, values: dict[str, Any], dataset: DatasetId
    ) -> SnapshotInfo | None:
        row = rows_of(cursor, text, values)[0]
        return None if row["snapshot"] is None else _info_of({**row, "dataset": dataset})

    def _snapshot(self, cursor: duckdb.DuckDBPyConnection) -> int:
        row = cursor.execute(query("snapshot")).fetchone()
        return int(row[0]) if row is not None else 0

    def _exists(self, cursor: duckdb.DuckDBPyConnection, register: str, name: str) -> bool:
        values = {"register": register, "name": name}
        return cursor.execute(query("exists"), values).fetchone() is not None


def _info_of(row: Mapping[str, Any]) -> SnapshotInfo:
    return SnapshotInfo(
        dataset=DatasetId(row["dataset"]),
        snapshot=SnapshotId(row["snapshot"]),
        published=row["published"].replace(tzinfo=UTC),
        as_of=row["as_of"].replace(tzinfo=UTC),
        rows=row["rows"],
    )


def rows_of(cursor: duckdb.DuckDBPyConnection, text: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = cursor.execute(text, values).to_arrow_table().to_pylist()
    return rows


def _summary(row: dict[str, Any]) -> RunSummary:
    times = {name: row[name].replace(tzinfo=UTC) for name in ("started", "finished", "as_of")}
    return RunSummary(**(row | times | {"mode": Mode(row["mode"]), "dataset": DatasetId(row["dataset"])}))


def values_of(dataset: Dataset, moment: datetime | SnapshotId) -> dict[str, Any]:
    """A dataset at a time or in a snapshot, as queries take them: the other of the two is null."""
    time = moment.astimezone(UTC).replace(tzinfo=None) if isinstance(moment, datetime) else None
    return {"dataset": dataset.id, "time": time, "snapshot": None if time is not None else moment}
