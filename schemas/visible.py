"""Which columns of a dataset a grant shows: one rule for lookups and extracts."""

from collections.abc import Iterable

from kernel import Grant, NotAllowed, RequestInvalid
from schemas.dataset import Dataset


class ColumnUnknown(RequestInvalid):
    """The call asks for a column that the dataset does not have."""

    code = "column_unknown"
    title = "There is no such column"


class ColumnsNotCovered(NotAllowed):
    """The call asks for columns that the agreement leaves out."""

    code = "columns_not_covered"
    title = "The agreement does not cover these columns"


def visible_columns(dataset: Dataset, grant: Grant, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """The columns that are asked for, or all that the grant covers; in the dataset's own order, each once.

    Raises ColumnUnknown, ColumnsNotCovered.
    """
    if asked is None:
        return tuple(name for name in dataset.names if grant.columns is None or name in grant.columns)
    chosen = set(asked)
    if unknown := chosen - set(dataset.names):
        raise ColumnUnknown(
            f"{dataset.id} has no column {_named(unknown)}", remedy="see the columns in GET /openapi.json"
        )
    if grant.columns is not None and (refused := chosen - grant.columns):
        raise ColumnsNotCovered(
            f"the agreement does not cover {_named(refused)}",
            remedy="leave them out, or have the agreement extended",
            rule="agreement.columns",
            owner=f"municipality {grant.municipality_cvr}",
            ends=grant.valid.end,
        )
    return tuple(name for name in dataset.names if name in chosen)


def _named(columns: Iterable[str]) -> str:
    # What does not look like a column's name is not repeated: it may be a personal number in the wrong place.
    shown = sorted(name for name in columns if name.isidentifier() and name.isascii() and len(name) <= 60)
    return ", ".join(shown[:10]) or "of the name that was asked for"
