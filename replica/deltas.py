"""What changed between two snapshots for somebody who may not see everything.

Not the change feed with rows left out: a row that moves out of what somebody may see has gone for him, one that moves
in has come, one whose name is withheld since today has changed, and a change in what he cannot see is none. So the rows
that the feed touches are looked at twice, as he saw them then and as he sees them now, and the two views compared.

Pure: text out. Only names that the dataset itself has get into the text, quoted; values are bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from kernel import SnapshotId
from replica.statements import Statement, at, balance, protected, quoted, within
from schemas import Dataset

OPERATION: Final = "_operation"
"""The column of a delta that says what became of a row: insert, update or delete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What somebody may see of a dataset.

    columns   of the dataset, its key among them
    rows      column -> the values it may hold; other rows are as if they did not exist
    """

    columns: Sequence[str]
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """A snapshot, and the day on which protection is judged; None where nothing is withheld."""

    snapshot: SnapshotId
    day: date | None = None


def delta(
    dataset: Dataset, view: View, since: AsOf, until: AsOf, first: SnapshotId, *, padded: bool = False
) -> Statement:
    """What the view at `until` has otherwise than the view at `since`: OPERATION and the view's columns, sorted by key.
    A deleted row has its key alone.

    first    the first snapshot after `since` that exists
    padded   see `statements.at`

    Raises KeyError for a name that the dataset lacks, ValueError when the key is not among the columns.
    """
    for name in (*view.columns, *view.rows):
        dataset.column(name)
    if dataset.key not in view.columns:
        raise ValueError("a delta without keys tells nobody which rows to delete")
    key = quoted(dataset.key)
    values: dict[str, Any] = {}
    feed = "SELECT NULL::VARCHAR AS key WHERE false"
    if first <= until.snapshot and since.snapshot < until.snapshot:
        feed = f"SELECT key FROM ({balance(dataset, first, until.snapshot)}) WHERE balance <> 0"
    asked = f"SELECT key FROM ({feed})"
    if since.day != until.day and dataset.protection is not None and set(dataset.protected_columns) & set(view.columns):
        # Nobody delivered anything, and yet the view is another one: a protection began or ended in between.
        was, now = (protected(dataset, day) for day in ("$day_since", "$day_until"))
        asked += f" UNION SELECT {key} FROM {at(dataset, until.snapshot, padded=padded)} WHERE {was} <> {now}"
    before = _seen(dataset, view, since, "since", values, padded=padded)
    after = _seen(dataset, view, until, "until", values, padded=padded)
    others = [quoted(name) for name in view.columns if name != dataset.key]
    differs = " OR ".join(f"o.{name} IS DISTINCT FROM n.{name}" for name in others) or "false"
    chosen = ", ".join(
        f"coalesce(n.{key}, o.{key}) AS {key}" if name == dataset.key else f"n.{quoted(name)} AS {quoted(name)}"
        for name in view.columns
    )
    return Statement(
        f"""
        WITH asked AS MATERIALIZED (SELECT DISTINCT key FROM ({asked})), before AS ({before}), after AS ({after})
        SELECT CASE WHEN n.{key} IS NULL THEN 'delete' WHEN o.{key} IS NULL THEN 'insert' ELSE 'update' END
                 AS {OPERATION}, {chosen}
          FROM before o
          FULL JOIN after n ON o.{key} = n.{key}
         WHERE o.{key} IS NULL OR n.{key} IS NULL OR {differs}
         ORDER BY coalesce(n.{key}, o.{key})""",
        values,
    )


def _seen(dataset: Dataset, view: View, moment: AsOf, name: str, values: dict[str, Any], *, padded: bool) -> str:
    """The rows asked for as the view had them at a moment; adds to `values` what it binds."""
    hidden = set(dataset.protected_columns) & set(view.columns) if moment.day is not None else set()
    day = f"$day_{name}"
    if hidden and dataset.protection is not None:
        values[day[1:]] = moment.day
    chosen = ", ".join(
        f"CASE WHEN {protected(dataset, day)} THEN NULL ELSE {quoted(each)} END AS {quoted(each)}"
        if each in hidden
        else quoted(each)
        for each in view.columns
    )
    conditions = [f"{quoted(dataset.key)} IN (SELECT key FROM asked)", *within(view.rows, values)]
    source = at(dataset, moment.snapshot, padded=padded)
    return f"SELECT {chosen} FROM {source} WHERE {' AND '.join(conditions)}"
