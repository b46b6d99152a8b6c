"""An extract as a value: what is read, who may see what of it, and in which form. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from kernel import DatasetId, Grant, ServiceName, SnapshotId
from replica import SnapshotInfo
from schemas import Dataset, visible_columns


class Format(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    ARROW = "arrow"

    @property
    def media_type(self) -> str:
        return {
            "csv": "text/csv; charset=utf-8; header=present",
            "ndjson": "application/x-ndjson",
            "parquet": "application/vnd.apache.parquet",
            "arrow": "application/vnd.apache.arrow.stream",
        }[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractRequest:
    """columns   None for all that the agreement covers"""

    format: Format = Format.CSV
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractPlan:
    """What to write. Everything that changes the bytes is in it, and nothing else: not the agreement, not the caller.

    rows                 column -> the values that a row may hold there
    hide_protected_on    the day on which protection is judged, None when protected data may be seen
    schema_hash          of the columns and their types
    """

    service: ServiceName
    dataset: DatasetId
    snapshot: SnapshotId
    columns: tuple[str, ...]
    format: Format
    schema_hash: str
    contract_version: str
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hide_protected_on: date | None = None

    @property
    def id(self) -> str:
        """SHA-256 of the plan, lower-case hex. Equal rights give equal plans, and so share one file."""
        text = json.dumps(
            {
                "service": self.service,
                "dataset": self.dataset,
                "snapshot": self.snapshot,
                "columns": self.columns,
                "format": self.format,
                "schema": self.schema_hash,
                "contract": self.contract_version,
                "rows": {name: sorted(values) for name, values in self.rows.items()},
                "hide_protected_on": self.hide_protected_on.isoformat() if self.hide_protected_on else None,
            },
            sort_keys=True,
        )
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """`<service>_<snapshot>_full_<part of the id>.<format>`: two plans never share a name."""
        return f"{self.service}_{self.snapshot:08d}_full_{self.id[:12]}.{self.format}"

    def explain(self) -> tuple[str, ...]:
        """The plan in words."""
        lines = [f"{len(self.columns)} columns of {self.dataset} at snapshot {self.snapshot}, as {self.format}"]
        lines += [f"rows where {name} is one of {len(values)} values" for name, values in sorted(self.rows.items())]
        if self.hide_protected_on is not None:
            lines.append(f"name and address withheld for persons protected on {self.hide_protected_on}")
        return tuple(lines)


def plan_extract(
    request: ExtractRequest, grant: Grant, dataset: Dataset, info: SnapshotInfo, today: date
) -> ExtractPlan:
    """Choose what to write. Raises ColumnUnknown, ColumnsNotCovered."""
    columns = visible_columns(dataset, grant, request.columns)
    hides = not grant.protected and bool(set(columns) & set(dataset.protected_columns))
    schema = str([dataset.arrow.field(name) for name in columns])
    return ExtractPlan(
        service=grant.service,
        dataset=dataset.id,
        snapshot=info.snapshot,
        columns=columns,
        format=request.format,
        schema_hash=hashlib.sha256(schema.encode()).hexdigest(),
        contract_version=dataset.version,
        rows=grant.rows,
        hide_protected_on=today if hides else None,
    )
