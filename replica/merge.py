"""What a delivery changes in the mirror, and the statements that take it over.

`incoming` is the delivery's rows and `gone` its keys to delete, both registered. Unchanged rows are never written, and
of the mirror no more is read than key, place and fingerprint. An empty mirror is filled without a comparison.
"""

from collections.abc import Iterable

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from replica.delivery import Counts, Delivery, Mode
from replica.errors import KeysRepeated
from replica.fingerprint import HIGH, LOW, fingerprinted
from replica.nested import packed
from replica.statements import listed, quoted, table
from schemas import Dataset


def merged(cursor: duckdb.DuckDBPyConnection, dataset: Dataset, delivery: Delivery) -> tuple[Counts, tuple[str, ...]]:
    """What the delivery would do, and the statements that do it inside a transaction.

    Raises KeysRepeated when a key is missing or stands twice.
    """
    rows = delivery.rows.num_rows
    in_order = ascending(delivery.rows[dataset.key].chunks)
    if not in_order and _number(cursor, repeated_keys(dataset)):
        raise KeysRepeated(
            f"the delivery for {dataset.id} holds keys more than once", remedy="the decoder must give one row per key"
        )
    before = _number(cursor, f"SELECT count(*) FROM {table(dataset)}")
    if not before:
        counts = Counts(inserted=rows, updated=0, deleted=0, unchanged=0, before=0)
        return counts, fill(dataset, in_order=in_order) if rows else ()
    for statement in compare(dataset, delivery.mode):
        cursor.execute(statement)
    counts = counted(cursor, before, rows)
    return counts, take_over(dataset) if counts.changed else ()


def counted(cursor: duckdb.DuckDBPyConnection, before: int, rows: int) -> Counts:
    """What `change` holds. before: rows in the mirror; rows: those it was compared with."""
    found = dict(cursor.execute("SELECT what, count(*) FROM change GROUP BY what").fetchall())
    inserted, updated = found.get("insert", 0), found.get("update", 0)
    return Counts(
        inserted=inserted,
        updated=updated,
        deleted=found.get("delete", 0),
        unchanged=rows - inserted - updated,
        before=before,
    )


def ascending(keys: Iterable[pa.Array]) -> bool:
    """Whether every key is there and greater than the one before, byte by byte: then none stands twice either."""
    last = None
    for chunk in keys:
        if chunk.null_count or (len(chunk) and last is not None and not last < chunk[0].as_py().encode()):
            return False
        if not pc.all(pc.less(chunk[:-1], chunk[1:]), min_count=0).as_py():
            return False
        last = chunk[-1].as_py().encode() if len(chunk) else last
    return True


def repeated_keys(dataset: Dataset) -> str:
    """How many keys of `incoming` are missing or stand there before."""
    return f"SELECT count(*) - count(DISTINCT {quoted(dataset.key)}) FROM incoming"


def compare(dataset: Dataset, mode: Mode) -> tuple[str, ...]:
    """Statements that leave the temporary table `change`: one row per key that differs from the mirror.

    what     insert, update or delete
    place    of the mirror's row, null for an insert
    LOW, HIGH   of the new row, null for a delete
    """
    key = quoted(dataset.key)
    fresh = f"""
        CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT {key} AS key, {LOW}, {HIGH} FROM ({fingerprinted(dataset.arrow, "incoming")})"""
    mirror = f"SELECT t.{key} AS key, t.rowid AS place, t.{LOW}, t.{HIGH} FROM {table(dataset)} t"
    if mode is not Mode.FULL:
        # What is not asked for is not in the join, so whatever the delivery's rows lack there is in `gone`.
        mirror += f" SEMI JOIN (SELECT key FROM fresh UNION SELECT key FROM gone) asked ON asked.key = t.{key}"
    differs = "false" if mode is Mode.APPEND else f"f.{LOW} <> m.{LOW} OR f.{HIGH} <> m.{HIGH}"
    change = f"""
        CREATE OR REPLACE TEMP TABLE change AS
        SELECT coalesce(f.key, m.key) AS key, m.place, f.{LOW}, f.{HIGH},
               CASE WHEN m.key IS NULL THEN 'insert' WHEN f.key IS NULL THEN 'delete' ELSE 'update' END AS what
          FROM fresh f
          FULL JOIN ({mirror}) m ON f.key = m.key
         WHERE f.key IS NULL OR m.key IS NULL OR ({differs})"""
    return fresh, change


def take_over(dataset: Dataset) -> tuple[str, ...]:
    """Statements, inside the transaction, that take `change` over into the mirror, sorted by key."""
    key = quoted(dataset.key)
    return (
        # By place, so that the keys need not be read again.
        f"DELETE FROM {table(dataset)} WHERE rowid IN (SELECT place FROM change WHERE place IS NOT NULL)",
        f"""INSERT INTO {table(dataset)} ({_columns(dataset)})
            SELECT {listed(dataset.names, "i")}, c.{LOW}, c.{HIGH}
              FROM incoming i
              JOIN change c ON c.key = i.{key}
             WHERE c.what <> 'delete'
             ORDER BY c.key""",
    )


def packed_change(dataset: Dataset) -> str:
    """`change` as a change feed, with rows as segments keep them. After `compare`, while `incoming` is there."""
    key = quoted(dataset.key)
    others = [name for name in dataset.names if name != dataset.key]
    values = "".join(f", i.{quoted(name)}" for name in others)
    rows = f"SELECT c.what AS _change, c.key AS {key}{values} FROM change c LEFT JOIN incoming i ON i.{key} = c.key"
    return f"SELECT _change, {packed(dataset)} FROM ({rows}) ORDER BY {key}"


def fill(dataset: Dataset, *, in_order: bool) -> tuple[str, ...]:
    """Statements, inside the transaction, that fill an empty mirror: nothing is compared or kept aside.

    in_order   whether `incoming` is sorted by key already
    """
    order = "" if in_order else f" ORDER BY {quoted(dataset.key)}"
    source = fingerprinted(dataset.arrow, "incoming")
    return (f"INSERT INTO {table(dataset)} ({_columns(dataset)}) SELECT {_columns(dataset)} FROM ({source}){order}",)


def _columns(dataset: Dataset) -> str:
    return f"{listed(dataset.names)}, {LOW}, {HIGH}"


def _number(cursor: duckdb.DuckDBPyConnection, statement: str) -> int:
    row = cursor.execute(statement).fetchone()
    return int(row[0]) if row is not None else 0
