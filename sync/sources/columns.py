"""Whether the columns of a delivery are those that its contract promises."""

from collections.abc import Sequence

from schemas import Dataset
from sync.errors import DeliveryUnreadable


def ensure_columns(names: Sequence[str], dataset: Dataset, what: str) -> None:
    """A column that the contract does not require may be missing, and one that it does not have may not be there,
    since nobody has said whether it may be shown. Derived columns are never delivered.

    what   of the delivery holds the names: `the header`

    Raises DeliveryUnreadable.
    """
    known = {column.name: column for column in dataset.columns if column.derived is None}
    needed = [name for name, column in known.items() if column.required or name == dataset.key]
    problems = {
        "twice": [name for name in names if names.count(name) > 1],
        "unknown": [name for name in names if name not in known],
        "missing": [name for name in needed if name not in names],
    }
    for problem, found in problems.items():
        if found:
            raise DeliveryUnreadable(
                f"{what} does not fit the contract: {problem}: {', '.join(sorted(set(found)))}",
                remedy="mend the file, or the contract of the dataset",
            )
