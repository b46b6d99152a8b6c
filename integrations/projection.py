"""What of a row may be seen: which columns are read, which are shown, which are withheld for protected persons."""

from dataclasses import dataclass
from typing import Any, Final

from kernel import Grant
from schemas import Dataset, visible_columns

Row = dict[str, Any]

_MOST_KEPT: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Made once for a grant and a choice of columns, used for every row.

    read        columns to read, in the dataset's order; None for all of them
    shown       columns of the answer, in the dataset's order; None when they are those read, in the reader's order
    withheld    columns that become null in a protected row; empty when the agreement lets them out
    scope       column -> the values a row may hold in it
    """

    read: tuple[str, ...] | None
    shown: tuple[str, ...] | None
    withheld: tuple[str, ...]
    scope: tuple[tuple[str, frozenset[str]], ...]

    def admits(self, row: Row) -> bool:
        """Whether the row lies in the agreement's scope."""
        return all(row.get(name) in values for name, values in self.scope)

    def of(self, row: Row, *, protected: bool) -> Row:
        """The row as it may be seen."""
        seen = row if self.shown is None else {name: row[name] for name in self.shown}
        return {**seen, **dict.fromkeys(self.withheld)} if protected else seen


_kept: dict[tuple[object, ...], tuple[Dataset, Projection]] = {}


def project(dataset: Dataset, grant: Grant, columns: tuple[str, ...] | None) -> Projection:
    """What `grant` lets be seen of `dataset`, of the columns asked for (None: all that it covers).

    Raises ColumnUnknown, ColumnsNotCovered.
    """
    # By identity, since hashing a dataset walks all its columns; the entry holds the dataset, so its id stays its own.
    mark = (id(dataset), grant.columns, grant.protected, tuple(grant.rows.items()), columns)
    kept = _kept.get(mark)
    if kept is None:
        if len(_kept) >= _MOST_KEPT:
            # Callers choose columns freely; what they choose may not grow without end.
            _kept.clear()
        kept = _kept[mark] = dataset, _project(dataset, grant, columns)
    return kept[1]


def _project(dataset: Dataset, grant: Grant, columns: tuple[str, ...] | None) -> Projection:
    names = dataset.names
    shown = visible_columns(dataset, grant, columns)
    asked = frozenset(shown)
    withheld = () if grant.protected else tuple(name for name in dataset.protected_columns if name in asked)
    needed = asked | grant.rows.keys()
    if withheld and dataset.protection is not None:
        needed |= {dataset.protection.list_column}
    read = tuple(name for name in names if name in needed)
    return Projection(
        read=None if read == names else read,
        shown=None if shown == read else shown,
        withheld=withheld,
        scope=tuple(grant.rows.items()),
    )
