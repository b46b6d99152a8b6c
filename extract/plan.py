"""An extract as a value: what is read, who may see what of it, and in which form. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from kernel import DatasetId, Grant, ServiceName, SnapshotId
from replica import SnapshotInfo
from schemas import ColumnsNotCovered, Dataset, visible_columns

ENCODING: Final = 1
"""Grows when the encoders write other bytes for the same rows, so that files of two makes never pass for one."""


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
    """What to write. Everything that changes the bytes is in its id, and nothing else: not the agreement, not the
    caller.

    rows                 column -> the values that a row may hold there
    hide_protected_on    the day on which protection is judged, None when there is nothing to hide
    schema_hash          of the columns and their types
    published            when the snapshot was published; the file bears it as its time
    protected            whether names and addresses of protected persons stand in it
    """

    service: ServiceName
    dataset: DatasetId
    snapshot: SnapshotId
    columns: tuple[str, ...]
    format: Format
    schema_hash: str
    contract_version: str
    published: datetime
    rows: Mapping[str, frozenset[str]] = field(default_factory=dict)
    hide_protected_on: date | None = None
    protected: bool = False

    @property
    def id(self) -> str:
        """SHA-256 of the plan, lower-case hex. Equal rights give equal plans, and so share one file."""
        text = json.dumps(
            {
                "encoding": ENCODING,
                "service": self.service,
                "dataset": self.dataset,
                "snapshot": self.snapshot,
                "columns": self.columns,
                "format": self.format,
                "schema": self.schema_hash,
                "contract": self.contract_version,
                "rows": self.scope,
                "hide_protected_on": self.hide_protected_on.isoformat() if self.hide_protected_on else None,
                "protected": self.protected,
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def file_name(self) -> str:
        """`<service>_<snapshot>_full_<part of the id>.<format>`: two plans never share a name."""
        return f"{self.service}_{self.snapshot:08d}_full_{self.id[:16]}.{self.format}"

    @property
    def scope(self) -> dict[str, list[str]]:
        """`rows` in one order: for a hash, and for people."""
        return {name: sorted(values) for name, values in sorted(self.rows.items())}

    def explain(self) -> tuple[str, ...]:
        """The plan in words."""
        lines = [f"{len(self.columns)} columns of {self.dataset} at snapshot {self.snapshot}, as {self.format}"]
        lines += [f"rows where {name} is one of {len(values)} values" for name, values in self.scope.items()]
        if self.hide_protected_on is not None:
            lines.append(f"name and address withheld for persons protected on {self.hide_protected_on}")
        if self.protected:
            lines.append("name and address of protected persons included")
        return tuple(lines)


def plan_extract(
    request: ExtractRequest, grant: Grant, dataset: Dataset, info: SnapshotInfo, today: date
) -> ExtractPlan:
    """Choose what to write. Pure. Raises ColumnUnknown, ColumnsNotCovered."""
    columns = visible_columns(dataset, grant, request.columns)
    if not columns:
        raise ColumnsNotCovered(
            f"no column of {dataset.id} is left to give out",
            remedy="name columns that the agreement covers, or have it extended",
            rule="agreement.columns",
            owner=f"municipality {grant.municipality_cvr}",
        )
    guarded = bool(set(columns) & set(dataset.protected_columns))
    # Each type as text of its own: the text of a whole schema leaves out what is deep in a long one.
    types = [f"{name} {dataset.arrow.field(name).type}" for name in columns]
    return ExtractPlan(
        service=grant.service,
        dataset=dataset.id,
        snapshot=info.snapshot,
        columns=columns,
        format=request.format,
        schema_hash=hashlib.sha256("\n".join(types).encode()).hexdigest(),
        contract_version=dataset.version,
        published=info.published,
        rows=grant.rows,
        hide_protected_on=today if guarded and not grant.protected else None,
        protected=guarded and grant.protected,
    )
