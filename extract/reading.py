"""The rows of a plan, from the mirror, and what XML of them looks like."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa

from extract.formats.xml_text import xml_schema
from extract.plan import ExtractPlan
from replica import OPERATION, AsOf, Lake, View, sorted_rows
from schemas import Dataset

_BATCH_ROWS: Final = 16_384


def rows_of(
    mirror: Callable[[], Lake],
    dataset: Dataset,
    plan: ExtractPlan,
    keys: tuple[str | None, str | None] | None = None,
    segments: Path | None = None,
) -> pa.RecordBatchReader:
    """Sorted by key; of a delta with `replica.OPERATION` before its columns. Raises HistoryExpired.

    mirror     opens it, for what the segments do not tell
    keys       of a full extract, those from the first on and before the second alone
    segments   where rows may be read faster, see `replica.sorted_rows`
    """
    if plan.since is None:
        return sorted_rows(
            mirror,
            segments,
            dataset,
            snapshot=plan.snapshot,
            columns=plan.columns,
            rows=plan.rows,
            hide_protected_on=plan.hide_protected_on,
            keys=keys,
            batch_rows=_BATCH_ROWS,
        )
    view = View(columns=plan.columns, rows=plan.rows)
    since = AsOf(snapshot=plan.since.snapshot, day=plan.since.day)
    until = AsOf(snapshot=plan.snapshot, day=plan.hide_protected_on)
    return mirror().scan_delta(dataset, view, since, until, batch_rows=_BATCH_ROWS)


def estimate(lake: Lake, dataset: Dataset, plan: ExtractPlan) -> int | None:
    """How many rows an extract will have: of a delta, at most. Raises HistoryExpired.

    None for a delta of some of the rows: how many changed in all is nothing that its agreement shows.
    """
    if plan.since is None:
        return lake.count(dataset, plan.snapshot, plan.rows)
    if plan.rows:
        return None
    return lake.rows_changed(dataset, plan.since.snapshot, plan.snapshot)


def xml_schema_of(dataset: Dataset) -> bytes:
    """The XSD that every XML extract of a dataset follows, with whichever of its columns, full or delta."""
    operation = pa.field(OPERATION, pa.string())
    return xml_schema(pa.schema([operation, *dataset.arrow]), dataset.id)
