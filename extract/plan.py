"""An extract as a value: what is read, who may see what of it, and in which form. Pure."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from typing import Final, Literal

from extract.cursor import Cursor
from extract.errors import CursorRefused, DeltaNeedsKey, FormatImpossible, ViewChanged
from extract.form import Compression, Format
from kernel import DatasetId, Grant, ServiceName, SnapshotId
from replica import OPERATION, HistoryExpired, SnapshotInfo
from schemas import ColumnsNotCovered, Dataset, visible_columns

ENCODING: Final = 3
"""Grows when the encoders write other bytes for the same rows, so that files of two makes never pass for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractRequest:
    """columns          None for all that the agreement covers
    since            where the consumer stands: it wants what changed from there; None for the whole dataset
    otherwise_full   whether it takes the whole dataset when that cannot be told
    """

    format: Format = Format.CSV
    compression: Compression = Compression.NONE
    columns: tuple[str, ...] | None = None
    since: Cursor | None = None
    otherwise_full: bool = False


Corrections = Callable[[Dataset, SnapshotId, SnapshotId], Sequence[SnapshotId]]
"""The snapshots of a span that went back to an earlier state. Raises HistoryExpired when the span's changes are not
kept any more; may block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractPlan:
    """What to write. Everything that changes the bytes is in its id, and nothing else: not the agreement, not the
    caller.

    rows                 column -> the values that a row may hold there
    hide_protected_on    the day on which protection is judged, None when there is nothing to hide
    hides                hash of how it is judged and which columns it takes; empty when there is nothing to hide
    schema_hash          of the columns and their types
    published            when the snapshot was published; the file bears it as its time
    protected            whether names and addresses of protected persons stand in it
    since                where a delta begins; None for a full extract
    corrections          snapshots within a delta that went back to an earlier state
    full_because         the code of what keeps a full extract from being the delta that was asked for
    keyed                whether the column that identifies a row is among the columns
    types                of the columns, in Arrow's words
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
    hides: str = ""
    protected: bool = False
    since: Cursor | None = None
    corrections: tuple[SnapshotId, ...] = ()
    full_because: str | None = field(default=None, compare=False)
    keyed: bool = True
    compression: Compression = Compression.NONE
    types: tuple[str, ...] = field(default=(), compare=False)

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
                "compression": self.compression,
                "schema": self.schema_hash,
                "contract": self.contract_version,
                "rows": self.scope,
                "hide_protected_on": self.hide_protected_on.isoformat() if self.hide_protected_on else None,
                "hides": self.hides,
                "protected": self.protected,
                "since": str(self.since) if self.since else None,
            },
            sort_keys=True,
            separators=(",", ":"),
        )
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def kind(self) -> Literal["full", "delta"]:
        return "full" if self.since is None else "delta"

    @property
    def schema(self) -> dict[str, str]:
        """Column -> type, in Arrow's words, in the order in which they stand in the file."""
        operation = {} if self.since is None else {OPERATION: "string"}
        return operation | dict(zip(self.columns, self.types, strict=False))

    @property
    def view(self) -> str:
        """Hash of which rows and columns it shows, of whatever snapshot and in whatever form; lower-case hex."""
        text = json.dumps(
            [self.service, self.dataset, self.columns, self.schema_hash, self.scope, self.protected, self.hides]
        )  # fmt: skip
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def cursor(self) -> Cursor | None:
        """Where a consumer stands that has taken it; None when rows cannot be told apart without their key."""
        return Cursor(self.snapshot, self.hide_protected_on, self.view) if self.keyed else None

    @property
    def file_name(self) -> str:
        """`<service>_<snapshot>_full_<part of the id>.<format>`, `<service>_<since>-<snapshot>_delta_...`: two plans
        never share a name.
        """
        span = f"{self.snapshot:08d}" if self.since is None else f"{self.since.snapshot:08d}-{self.snapshot:08d}"
        return f"{self.service}_{span}_{self.kind}_{self.id[:16]}.{self.ending}"

    @property
    def ending(self) -> str:
        """Of the file's name, without its dot."""
        return f"{self.format.ending}{self.compression.ending}"

    @property
    def media_type(self) -> str:
        return self.compression.media_type or self.format.media_type

    @property
    def form(self) -> str:
        """For people: the format, and how it is compressed."""
        packed = "" if self.compression is Compression.NONE else f", {self.compression}"
        return f"{self.format}{packed}"

    @property
    def scope(self) -> dict[str, list[str]]:
        """`rows` in one order: for a hash, and for people."""
        return {name: sorted(values) for name, values in sorted(self.rows.items())}

    def explain(self) -> tuple[str, ...]:
        """The plan in words."""
        lines = [f"{len(self.columns)} columns of {self.dataset} at snapshot {self.snapshot}, as {self.form}"]
        if self.format.layout is not None:
            lines.append(
                "lines of the register's own layout; fields of other columns are blank, their records left out"
            )
        if self.since is not None:
            lines.append(f"only what has changed since snapshot {self.since.snapshot}")
        if self.corrections:
            lines.append(f"among it what went back to an earlier state ({len(self.corrections)} times)")
        if self.full_because is not None:
            lines.append(f"all of it, since a delta is not possible: {self.full_because}")
        lines += [f"rows where {name} is one of {len(values)} values" for name, values in self.scope.items()]
        if self.hide_protected_on is not None:
            lines.append(f"name and address withheld for persons protected on {self.hide_protected_on}")
        if self.protected:
            lines.append("name and address of protected persons included")
        return tuple(lines)


def plan_extract(
    request: ExtractRequest,
    grant: Grant,
    dataset: Dataset,
    info: SnapshotInfo,
    today: date,
    corrections: Corrections = lambda *_: (),
) -> ExtractPlan:
    """Choose what to write. Pure, but for what `corrections` asks the mirror when it is to be a delta.

    Raises ColumnUnknown, ColumnsNotCovered; for a delta also CursorRefused, DeltaNeedsKey, and, unless the request
    takes a full extract then, ViewChanged and HistoryExpired.
    """
    ensure_possible(request.format, dataset, changes=request.since is not None)
    full = _full(request, grant, dataset, info, today)
    if request.since is None:
        return full
    try:
        found = _corrected(full, request.since, dataset, corrections)
    except (ViewChanged, HistoryExpired) as reason:
        if not request.otherwise_full:
            raise
        return replace(full, full_because=reason.code)
    return replace(full, since=request.since, corrections=found)


def formats_of(dataset: Dataset) -> tuple[Format, ...]:
    """Those that a dataset can be written in."""
    return tuple(each for each in Format if each.layout in (None, dataset.record_layout))


def ensure_possible(form: Format, dataset: Dataset, *, changes: bool) -> None:
    """Raises FormatImpossible for a dataset that cannot be written so, and for changes that the layout cannot tell."""
    if form not in formats_of(dataset):
        raise FormatImpossible(
            f"{dataset.id} has no record layout, so there is no {form} of it",
            remedy="take csv or another format",
            rule="parameter.format",
        )
    if changes and form.layout is not None:
        raise FormatImpossible(
            "the record layout has no line that says that a row is gone, so changes cannot be told in it",
            remedy="take all of it, take changes in another format, or subscribe to a circle of persons",
            rule="parameter.format",
        )


def _corrected(full: ExtractPlan, since: Cursor, dataset: Dataset, corrections: Corrections) -> tuple[SnapshotId, ...]:
    """Raises what keeps a delta since then from being made."""
    if not full.keyed:
        raise DeltaNeedsKey(
            f"{dataset.key} is not among the columns, and nothing else says which row has changed",
            remedy=f"ask for {dataset.key} too, or have the agreement extended with it",
            rule="extract.delta",
        )
    if since.snapshot > full.snapshot:
        raise CursorRefused(
            "the cursor is later than what is asked for",
            remedy="ask again in a moment; with as_of or snapshot, name a later one",
            rule="parameter.since",
        )
    if since.view != full.view:
        raise ViewChanged(
            "the extract shows other rows or columns than the one that the cursor comes from",
            remedy="take a full extract and go on from its cursor (otherwise=full does so by itself)",
            rule="extract.view",
        )
    since.ensure_taken_by(full.hide_protected_on)
    return tuple(corrections(dataset, since.snapshot, full.snapshot))


def _full(request: ExtractRequest, grant: Grant, dataset: Dataset, info: SnapshotInfo, today: date) -> ExtractPlan:
    if request.format is Format.PARQUET and request.compression is not Compression.NONE:
        raise FormatImpossible(
            "Parquet is compressed within already", remedy="leave compression out", rule="parameter.compression"
        )
    columns = visible_columns(dataset, grant, request.columns)
    if not columns:
        raise ColumnsNotCovered(
            f"no column of {dataset.id} is left to give out",
            remedy="name columns that the agreement covers, or have it extended",
            rule="agreement.columns",
            owner=f"municipality {grant.municipality_cvr}",
        )
    if request.format.layout is not None and dataset.key not in columns:
        raise FormatImpossible(
            f"each line of the register begins with {dataset.key}, which is not among the columns",
            remedy=f"ask for {dataset.key} too, have the agreement extended with it, or take another format",
            rule="parameter.format",
        )
    guarded = [name for name in columns if name in dataset.protected_columns]
    hidden = bool(guarded) and not grant.protected
    # Each type as text of its own: the text of a whole schema leaves out what is deep in a long one.
    types = [f"{name} {dataset.arrow.field(name).type}" for name in columns]
    return ExtractPlan(
        service=grant.service,
        dataset=dataset.id,
        snapshot=info.snapshot,
        columns=columns,
        format=request.format,
        compression=request.compression,
        schema_hash=hashlib.sha256("\n".join(types).encode()).hexdigest(),
        contract_version=dataset.version,
        published=info.published,
        rows=grant.rows,
        hide_protected_on=today if hidden else None,
        hides=_hides(dataset, guarded) if hidden else "",
        protected=bool(guarded) and grant.protected,
        keyed=dataset.key in columns,
        types=tuple(str(dataset.arrow.field(name).type) for name in columns),
    )


def _hides(dataset: Dataset, guarded: Sequence[str]) -> str:
    # Classification is no part of a schema: without this, a column that is withheld from today on would still stand
    # in the file that was made before.
    rule = dataset.protection
    judged = None if rule is None else {**asdict(rule), "types": sorted(rule.types)}
    return hashlib.sha256(json.dumps([guarded, judged], sort_keys=True).encode()).hexdigest()
