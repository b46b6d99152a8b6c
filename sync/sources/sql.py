"""A table or a query of a PostgreSQL database, as one Parquet file.

COPY brings the rows as CSV, and Arrow reads that in blocks: no row passes through Python. ADBC would do the same with
a driver more, and takes the whole answer into memory as soon as a value is bound.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.sql import Composed
from pyarrow import csv, parquet

from sync.errors import SourceFaulty, SourceInvalid
from sync.sources.port import Offered
from sync.sources.spool import Spool
from sync.sources.sql_reading import Database, Reading
from sync.sources.sql_session import connected, told
from sync.sources.sql_types import Shape, shape_of

MOST_TIES: Final = 100_000
BLOCK_BYTES: Final = 16 * 1024 * 1024
NOTHING: Final = sql.Composed([])


class SqlRows:
    """What it offers is read when it is asked what there is: a database does not tell without."""

    def __init__(self, database: Database, reading: Reading, work: Path) -> None:
        self._database, self._reading, self._spool = database, reading, Spool(work)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self._spool)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def offered(self, since: Mapping[str, str]) -> tuple[Offered, ...]:
        """One file, or none when there is nothing new. Raises SourceUnreachable, SourceDenied, SourceUntrusted,
        SourceInvalid and SourceFaulty.
        """
        reading = self._reading
        since = since if since.get("of") == reading.mark else {}
        with told(), connected(self._database) as connection:
            snapshot = _Snapshot(connection, reading, since.get("at", ""))
            modified = snapshot.time()
            position = snapshot.position()
            if position is not None and (not position or position.items() <= since.items()):
                return ()
            with self._spool.fill() as spool:
                snapshot.copy_to(spool, self._spool.folder / "rows.csv", self._database.max_bytes)
        path = self._spool.path
        with path.open("rb") as file:
            version = hashlib.file_digest(file, "sha256").hexdigest()
        return (
            Offered(
                name=reading.name,
                size_bytes=path.stat().st_size,
                version=version,
                modified=modified,
                position={"of": reading.mark, **(position or {})},
            ),
        )

    @contextmanager
    def open(self, offered: Offered) -> Iterator[BinaryIO]:  # noqa: ARG002
        with self._spool.path.open("rb") as stream:
            yield stream


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One transaction: all that is read is as of one moment. at: "" when there is no position yet."""

    connection: psycopg.Connection[Any]
    reading: Reading
    at: str

    @property
    def rows(self) -> Composed:
        """What stands after FROM."""
        if self.reading.table:
            return sql.SQL("{} as source").format(sql.Identifier(*self.reading.table))
        # The query is the operator's own, and the transaction read-only. It may end with a comment.
        return sql.SQL("({}\n) as source").format(sql.SQL(self.reading.query))

    def time(self) -> datetime:
        (now,) = self._one(Composed([sql.SQL("select extract(epoch from now())::float8")]))
        return datetime.fromtimestamp(now, UTC)

    def position(self) -> dict[str, str] | None:
        """Where the source stands after this reading; empty when there are no rows, None when it keeps no position.

        `at` is the last value of the column, and `ties` how many rows have it. A transaction that ends later may bring
        another row with the same value, so the next reading begins with that value, not after it.
        """
        if self.reading.column is None:
            return None
        column = sql.Identifier(self.reading.column)
        (last,) = self._one(sql.SQL("select max({})::text from {} {}").format(column, self.rows, self._since()))
        if last is None:
            return {}
        counted = sql.SQL("select count(*) from {} where {} = {}")
        (ties,) = self._one(counted.format(self.rows, column, sql.Literal(last)))
        if ties > MOST_TIES:
            raise SourceFaulty(
                f"{ties:,} rows have the last value of `{self.reading.column}`: it does not tell new rows from old",
                remedy=f"choose a column that at most {MOST_TIES:,} rows share a value of, or read all rows each time",
            )
        return {"at": last, "ties": str(ties)}

    def copy_to(self, spool: BinaryIO, csv_file: Path, max_bytes: int) -> None:
        shapes = self._shapes()
        order = sql.SQL("order by {}").format(sql.Identifier(self.reading.column)) if self.reading.column else NOTHING
        columns = sql.SQL(", ").join(shape.select for shape in shapes)
        rows = sql.SQL("copy (select {} from {} {} {}) to stdout (format csv, encoding 'utf8')").format(
            columns, self.rows, self._since(), order
        )
        came = 0
        try:
            with csv_file.open("wb") as file, self.connection.cursor() as cursor, cursor.copy(rows) as copy:
                for block in copy:
                    came += file.write(block)
                    if came > max_bytes:
                        raise SourceFaulty(
                            f"the database gives more than the {max_bytes:,} bytes allowed",
                            remedy="check it; if it is right, raise max_bytes of the source",
                        )
            _to_parquet(csv_file, shapes, spool)
        finally:
            csv_file.unlink(missing_ok=True)

    def _shapes(self) -> tuple[Shape, ...]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql.SQL("select * from {} limit 0").format(self.rows))
            shapes = tuple(map(shape_of, cursor.description or ()))
        if not shapes or len({shape.name for shape in shapes}) < len(shapes):
            raise SourceInvalid(
                "the columns of the query have not one name each", remedy="name them with `as` in the query"
            )
        return shapes

    def _since(self) -> Composed:
        at = self.at or self.reading.first
        if self.reading.column is None or not at:
            return NOTHING
        return sql.SQL("where {} >= {}").format(sql.Identifier(self.reading.column), sql.Literal(at))

    def _one(self, query: Composed) -> tuple[Any, ...]:
        with self.connection.cursor() as cursor:
            found = cursor.execute(query).fetchone()
        return found or (None,)


def _to_parquet(csv_file: Path, shapes: tuple[Shape, ...], into: BinaryIO) -> None:
    schema = pa.schema([pa.field(shape.name, shape.kind) for shape in shapes])
    with parquet.ParquetWriter(into, schema, compression="zstd") as writer:
        if not csv_file.stat().st_size:
            return
        reader = csv.open_csv(
            csv_file,
            read_options=csv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types={shape.name: shape.read_as for shape in shapes},
                # COPY writes nothing for null and "" for an empty text.
                null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
                true_values=["t"], false_values=["f"],
            ),
        )  # fmt: skip
        with reader:
            for batch in reader:
                writer.write_table(pa.Table.from_batches([batch]).cast(schema))
