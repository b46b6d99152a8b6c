"""What a change of contract would mean for the rows that are in the mirror now. Nothing is changed."""

from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from replica import Lake
from schemas import Change, Column, Dataset, RowCount, Severity, renamed
from sync.errors import ReferenceNotReady
from sync.quality import violations

_DEMANDS: Final = frozenset(
    {
        "required_added", "required_column_added", "unique_added", "pattern_added", "pattern_changed",
        "bounds_narrowed", "values_removed",
    }
)  # fmt: skip
_WRITTEN: Final = frozenset({"column_dropped", "column_renamed", "type_widened", "type_changed"})
_EMPTY: Final = frozenset({"column_added", "required_column_added"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """Rows of the mirror. None where there is nothing to count.

    touched   whose values are dropped, renamed or made into another type
    empty     that have nothing in a new column until they are delivered again
    broken    that would be held back if they came anew
    """

    touched: int | None = None
    empty: int | None = None
    broken: int | None = None


def foresee(change: Change, old: Dataset | None, new: Dataset | None, lake: Lake) -> Effect:
    """What a change means for the rows of `old`, which the lake has now."""
    info = lake.info(old) if old is not None else None
    if old is None or info is None:
        return Effect()
    if new is None:
        return Effect(touched=info.rows)
    whole = len(change.path) == 1
    return Effect(
        touched=info.rows if change.what in _WRITTEN else None,
        empty=info.rows if change.what in _EMPTY and whole else None,
        broken=_broken(change, old, new, lake),
    )


def _broken(change: Change, old: Dataset, new: Dataset, lake: Lake) -> int | None:
    judged = _judged(change, new)
    if judged is None:
        return None
    names = renamed(old.columns, new.columns)
    former = {column.name: names.get(column.name, column.name) for column in judged.columns}
    there = {name: was for name, was in former.items() if was in old.names}
    rows = lake.scan(old, columns=sorted(set(there.values()))).read_all()
    if rows.num_rows == 0:
        return 0
    columns = [
        rows[there[field.name]].cast(field.type) if field.name in there else pa.nulls(rows.num_rows, field.type)
        for field in judged.arrow
    ]
    try:
        return violations(pa.table(columns, schema=judged.arrow), judged, lake.present).held.height
    except (ReferenceNotReady, pa.ArrowInvalid, pa.ArrowNotImplementedError):
        # Another type altogether, or a dataset that was never mirrored: there is nothing to judge by.
        return None


def _judged(change: Change, new: Dataset) -> Dataset | None:
    """The dataset with nothing in it but what the change demands; None when it demands nothing."""
    if change.rule is not None and not isinstance(change.rule.test, RowCount):
        needed = {*change.rule.columns, new.key}
        columns = tuple(_plain(column) for column in new.columns if column.name in needed)
        rule = replace(change.rule, severity=Severity.ERROR, limit=None)
        return replace(new, columns=columns, rules=(rule,), protection=None)
    if change.what in _DEMANDS and change.path:
        top = new.column(change.path[0])
        columns = (top,) if top.name == new.key else (_plain(new.column(new.key)), top)
        return replace(new, columns=columns, rules=(), protection=None)
    return None


def _plain(column: Column) -> Column:
    return replace(
        column, required=False, unique=False, pattern=None, minimum=None, maximum=None, allowed=None,
        fields=tuple(_plain(field) for field in column.fields),
        item=None if column.item is None else _plain(column.item),
    )  # fmt: skip
