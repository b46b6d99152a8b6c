"""Which columns of a dataset a grant shows: one rule for lookups and extracts."""

from kernel import Grant, NotAllowed, RequestInvalid
from schemas.dataset import Dataset


class ColumnUnknown(RequestInvalid):
    code = "column_unknown"
    title = "There is no such column"


class ColumnsNotCovered(NotAllowed):
    code = "columns_not_covered"
    title = "The agreement does not cover these columns"


def visible_columns(dataset: Dataset, grant: Grant, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """The columns that are asked for, or all that the grant covers; in the dataset's own order, each once.

    Raises ColumnUnknown, ColumnsNotCovered.
    """
    if asked is None:
        return tuple(name for name in dataset.names if grant.columns is None or name in grant.columns)
    chosen = set(asked)
    if unknown := sorted(chosen - set(dataset.names)):
        raise ColumnUnknown(
            f"{dataset.id} has no column {', '.join(unknown)[:200]}", remedy="see the columns in GET /openapi.json"
        )
    if grant.columns is not None and (refused := sorted(chosen - grant.columns)):
        raise ColumnsNotCovered(
            f"the agreement does not cover {', '.join(refused)}",
            remedy="leave them out, or have the agreement extended",
            rule="agreement.columns",
            owner=f"municipality {grant.municipality_cvr}",
        )
    return tuple(name for name in dataset.names if name in chosen)
