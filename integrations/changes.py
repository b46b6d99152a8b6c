"""A page of what changed in a dataset for a view, without the records."""

from replica import OPERATION, AsOf, Lake, View
from schemas import Dataset


def changes_of(
    lake: Lake, dataset: Dataset, view: View, since: AsOf, until: AsOf, skip: int, limit: int
) -> list[tuple[str, str]]:
    """Operation and key, by key. Raises HistoryExpired."""
    found: list[tuple[str, str]] = []
    for batch in lake.scan_delta(dataset, view, since, until):
        if skip >= batch.num_rows:
            skip -= batch.num_rows
            continue
        part = batch.slice(skip, limit - len(found))
        skip = 0
        found += zip(part[OPERATION].to_pylist(), part[dataset.key].to_pylist(), strict=True)
        if len(found) >= limit:
            break
    return found
