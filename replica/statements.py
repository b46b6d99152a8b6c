"""SQL that follows from a dataset: its table, a scan, a change feed.

Pure: text out. Only names that the dataset itself has get into the text, quoted; values are bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyarrow as pa

from kernel import SnapshotId
from replica.fingerprint import HIGH, LOW
from replica.nested import packed
from replica.quoting import quoted as quoted
from schemas import Dataset

LISTED: Final = 32
"""Values of a column that a scope names, up to which a list is as good as a set."""


def table(dataset: Dataset) -> str:
    return f"lake.{quoted(dataset.register)}.{quoted(dataset.name)}"


def listed(names: Sequence[str], alias: str = "") -> str:
    prefix = f"{alias}." if alias else ""
    return ", ".join(prefix + quoted(name) for name in names)


def sql_type(kind: pa.DataType) -> str:
    """DuckDB's name of an Arrow type that a column can have."""
    if pa.types.is_struct(kind):
        return "STRUCT(" + ", ".join(f"{quoted(field.name)} {sql_type(field.type)}" for field in kind) + ")"
    if pa.types.is_list(kind):
        return sql_type(kind.value_type) + "[]"
    return {
        pa.string(): "VARCHAR",
        pa.int64(): "BIGINT",
        pa.float64(): "DOUBLE",
        pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE",
        pa.timestamp("us"): "TIMESTAMP",
    }[kind]


def make_table(dataset: Dataset) -> str:
    columns = [f"{quoted(field.name)} {sql_type(field.type)}" for field in dataset.arrow]
    columns += [f"{name} UBIGINT" for name in (LOW, HIGH)]
    return (
        f"CREATE SCHEMA IF NOT EXISTS lake.{quoted(dataset.register)};"
        f"CREATE TABLE IF NOT EXISTS {table(dataset)} ({', '.join(columns)})"
    )


def protected(dataset: Dataset, day: str = "$day") -> str:
    """True for a row whose protection is active on a day: the rule of ProtectionRule.active, in SQL.

    Without a rule, what is classified as protected is withheld in every row.
    """
    rule = dataset.protection
    if rule is None:
        return "true"
    start, end, kind = (f"p.{quoted(name)}" for name in (rule.from_field, rule.to_field, rule.type_field))
    types = ", ".join("'" + value.replace("'", "''") + "'" for value in sorted(rule.types))
    return (
        f"coalesce(len(list_filter({quoted(rule.list_column)}, lambda p: {kind} IN ({types}) "
        f"AND ({start} IS NOT NULL OR {end} IS NOT NULL) "
        f"AND ({start} IS NULL OR {start} <= {day}) AND ({end} IS NULL OR {day} < {end}))) > 0, false)"
    )


@dataclass(frozen=True, slots=True)
class Statement:
    text: str
    values: dict[str, Any]


def scan(
    dataset: Dataset,
    snapshot: SnapshotId,
    columns: Sequence[str],
    rows: Mapping[str, frozenset[str]],
    hide_protected_on: date | None,
    low: str | None = None,
    high: str | None = None,
    *,
    padded: bool = False,
) -> Statement:
    """Rows of a snapshot sorted by key: those from `low` on and before `high`, None for no end; `padded`: see `at`.

    Raises KeyError for a name that the dataset lacks.
    """
    for name in (*columns, *rows):
        dataset.column(name)
    values: dict[str, Any] = {}
    hidden = set(dataset.protected_columns) if hide_protected_on is not None else set()
    if hidden & set(columns) and dataset.protection is not None:
        values["day"] = hide_protected_on
    chosen = ", ".join(
        f"CASE WHEN {protected(dataset)} THEN NULL ELSE {quoted(name)} END AS {quoted(name)}"
        if name in hidden
        else quoted(name)
        for name in columns
    )
    conditions = within(rows, values)
    for name, sign, bound in (("low", ">=", low), ("high", "<", high)):
        if bound is not None:
            values[name] = bound
            conditions.append(f"{quoted(dataset.key)} {sign} ${name}")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return Statement(
        f"SELECT {chosen} FROM {at(dataset, snapshot, padded=padded)}{where} ORDER BY {quoted(dataset.key)}",
        values,
    )


def within(rows: Mapping[str, frozenset[str]], values: dict[str, Any]) -> list[str]:
    """Conditions that keep to a scope; adds to `values` what they bind."""
    conditions = []
    for number, (name, allowed) in enumerate(sorted(rows.items())):
        values[f"rows_{number}"] = sorted(allowed)
        # A list is looked through for every row; of many values a set is made once.
        many = f"{quoted(name)} IN (SELECT unnest($rows_{number}))"
        few = f"list_contains($rows_{number}, {quoted(name)})"
        conditions.append(many if len(allowed) > LISTED else few)
    return conditions


def kept(rows: Mapping[str, frozenset[str]]) -> Statement:
    """`kept`: whether each row of the relation `held` is within a scope, in its order."""
    values: dict[str, Any] = {}
    return Statement(f"SELECT coalesce({' AND '.join(within(rows, values))}, false) AS kept FROM held", values)


def withheld(dataset: Dataset, day: date) -> Statement:
    """`withheld`: whether the protection of each row of the relation `held` is active, in its order."""
    values = {} if dataset.protection is None else {"day": day}
    return Statement(f"SELECT {protected(dataset)} AS withheld FROM held", values)


def count(
    dataset: Dataset, snapshot: SnapshotId, rows: Mapping[str, frozenset[str]], *, padded: bool = False
) -> Statement:
    """How many rows of a snapshot are within a scope. Raises KeyError for a name that the dataset lacks."""
    for name in rows:
        dataset.column(name)
    values: dict[str, Any] = {}
    where = " AND ".join(within(rows, values)) or "true"
    return Statement(f"SELECT count(*) FROM {at(dataset, snapshot, padded=padded)} WHERE {where}", values)


def at(dataset: Dataset, snapshot: SnapshotId, *, padded: bool = False) -> str:
    """The dataset in a snapshot. `padded`: columns that came to it later are null, which costs a union with nothing."""
    then = f"{table(dataset)} AT (VERSION => {int(snapshot)})"
    if not padded:
        return then
    now = ", ".join(f"NULL::{sql_type(field.type)} AS {quoted(field.name)}" for field in dataset.arrow)
    return f"(FROM {then} UNION ALL BY NAME SELECT {now} WHERE false)"


def records(
    dataset: Dataset, keys: Sequence[str], snapshot: SnapshotId, columns: Sequence[str], *, padded: bool = False
) -> Statement:
    """Rows of a snapshot by their keys. Raises KeyError for a column that the dataset lacks."""
    for name in columns:
        dataset.column(name)
    key = quoted(dataset.key)
    return Statement(
        f"SELECT {listed(columns)} FROM {at(dataset, snapshot, padded=padded)} WHERE {key} IN (SELECT unnest($keys))",
        {"keys": list(keys)},
    )


def changes(dataset: Dataset, first: SnapshotId, until: SnapshotId) -> str:
    """The change feed of snapshots `first` to `until`, which exist, one row per key: insert, update or delete.

    A key that came and went in between is not in it. A deleted key's other columns are null.
    """
    # What stands beside a dataset's own columns begins with an underscore, as none of those does.
    key = quoted(dataset.key)
    others = [name for name in dataset.names if name != dataset.key]
    values = "".join(f", n.{quoted(name)} AS {quoted(name)}" for name in others)
    return f"""
        WITH came AS (SELECT rowid AS _row, {listed(dataset.names)}
                        FROM ducklake_table_insertions({_span(dataset, first, until)})),
        balance AS ({balance(dataset, first, until)}),
        ends AS (
            SELECT key, max(place) FILTER (WHERE balance > 0) AS _row, bool_or(balance < 0) AS existed
              FROM balance WHERE balance <> 0
             GROUP BY key),
        arrived AS (SELECT DISTINCT ON (_row) * FROM came SEMI JOIN ends USING (_row))
        SELECT CASE WHEN e._row IS NULL THEN 'delete' WHEN e.existed THEN 'update' ELSE 'insert' END AS _change,
               e.key AS {key}{values}
          FROM ends e
          LEFT JOIN arrived n USING (_row)
         ORDER BY e.key"""


def balance(dataset: Dataset, first: SnapshotId, until: SnapshotId) -> str:
    """`place`, `key` and `balance` of each row that came (1), went (-1) or did both (0) in a span of snapshots.

    Not ducklake_table_changes: it reads whole rows of what was deleted too. And not by snapshot: from a merged file, a
    deletion is told under the snapshot that the row came with, and a rewritten one tells rows that stayed. Each row's
    comings and goings are balanced instead, by its id, which compaction keeps.
    """
    key, span = quoted(dataset.key), _span(dataset, first, until)
    return f"""
        SELECT place, key, sum(step) AS balance
          FROM (SELECT rowid AS place, {key} AS key, 1 AS step FROM ducklake_table_insertions({span})
                 UNION ALL SELECT rowid, {key}, -1 FROM ducklake_table_deletions({span}))
         GROUP BY place, key"""


def _span(dataset: Dataset, first: SnapshotId, until: SnapshotId) -> str:
    register, name = (part.replace("'", "''") for part in (dataset.register, dataset.name))
    return f"'lake', '{register}', '{name}', {int(first)}, {int(until)}"


def packed_rows(dataset: Dataset, snapshot: SnapshotId) -> str:
    """Rows of a snapshot as segments keep them, sorted by key: those from $low on and before $high, null for no end."""
    key = quoted(dataset.key)
    return (
        f"SELECT {packed(dataset)} FROM {table(dataset)} AT (VERSION => {int(snapshot)})"
        f" WHERE {key} >= $low AND ($high IS NULL OR {key} < $high) ORDER BY {key}"
    )


def packed_changes(dataset: Dataset, first: SnapshotId, until: SnapshotId) -> str:
    """`changes`, with rows as segments keep them."""
    feed = changes(dataset, first, until)
    return f"SELECT _change, {packed(dataset)} FROM ({feed}) ORDER BY {quoted(dataset.key)}"


def early_key(dataset: Dataset, snapshot: SnapshotId, rows: int) -> str:
    """A key before which about so many rows stand, if the mirror's first file is in order, as a loaded one is; no row
    when there are fewer rows. Read without going through the others.
    """
    key = quoted(dataset.key)
    return f"SELECT {key} FROM {table(dataset)} AT (VERSION => {int(snapshot)}) LIMIT 1 OFFSET {int(rows)}"


def sampled_keys(dataset: Dataset, snapshot: SnapshotId, one_in: int) -> str:
    """Some of the keys of a snapshot, sorted."""
    key = quoted(dataset.key)
    versioned = f"{table(dataset)} AT (VERSION => {int(snapshot)})"
    return f"SELECT {key} FROM {versioned} WHERE rowid % {int(one_in)} = 0 ORDER BY {key}"
