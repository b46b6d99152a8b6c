"""The rows of a plan, from the mirror."""

import pyarrow as pa

from extract.plan import ExtractPlan
from replica import AsOf, Lake, View
from schemas import Dataset


def rows_of(lake: Lake, dataset: Dataset, plan: ExtractPlan) -> pa.RecordBatchReader:
    """Sorted by key; of a delta with `replica.OPERATION` before its columns. Raises HistoryExpired."""
    if plan.since is None:
        return lake.scan(
            dataset,
            snapshot=plan.snapshot,
            columns=plan.columns,
            rows=plan.rows,
            hide_protected_on=plan.hide_protected_on,
        )
    view = View(columns=plan.columns, rows=plan.rows)
    since = AsOf(snapshot=plan.since.snapshot, day=plan.since.day)
    return lake.scan_delta(dataset, view, since, AsOf(snapshot=plan.snapshot, day=plan.hide_protected_on))
