"""One record that somebody writes here, judged as the rows of a delivery are: by type, derivation and every rule."""

from typing import Any

import pyarrow as pa

from kernel import CallerMistake, PlatformError
from replica import Lake
from schemas import Dataset
from sync.derive import derive
from sync.errors import QualityRefused, ReferenceNotReady
from sync.fictitious import is_fictitious
from sync.quality import violations
from sync.sources.json_values import Misfit, fitted_fields


class RecordInvalid(CallerMistake):
    """The record breaks a rule of its contract; the message names the column and the rule, never the value."""

    code = "record_invalid"
    status = 422
    title = "The record breaks its contract"


def judged_record(record: dict[str, Any], dataset: Dataset, lake: Lake, *, fictitious_only: bool) -> pa.Table:
    """One row in the dataset's Arrow schema, with its derived columns.

    record   as JSON has it, without derived columns

    Raises RecordInvalid; in a test environment also for a key that may be somebody's.
    """
    columns = tuple(column for column in dataset.columns if column.derived is None)
    try:
        row = fitted_fields(columns, record)
    except Misfit as misfit:
        raise _invalid(dataset, misfit.rule, misfit.reason) from None
    if fictitious_only and not is_fictitious(row.get(dataset.key), dataset):
        raise RecordInvalid(
            "the record may be about somebody who lives, and this is a test environment",
            remedy="use a key that no register gives out",
            rule="environment.fictitious",
        )
    given = pa.Table.from_pylist([row], pa.schema([pa.field(each.name, each.arrow) for each in columns]))
    try:
        rows = derive(given, dataset, lake.texts)
        judged = violations(rows, dataset, lake.present)
    except (QualityRefused, ReferenceNotReady) as error:
        raise _invalid(dataset, error.code, error.message) from None
    if judged.held.height:
        broken = judged.held.row(0, named=True)
        raise _invalid(dataset, broken["rule"], broken["reason"])
    return rows.cast(dataset.arrow)


def _invalid(dataset: Dataset, rule: str, reason: str) -> PlatformError:
    return RecordInvalid(
        f"the record breaks a rule of {dataset.id}: {reason}",
        remedy="mend the field; GET /openapi.json shows the record",
        rule=f"{dataset.id}.{rule}",
    )
