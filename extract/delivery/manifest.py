"""What a file holds, so that a receiver can see that it is whole, and we that its reader may still have it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from kernel import Grant

if TYPE_CHECKING:
    # Who reads manifests has no plans, nor what plans are made with.
    from extract.plan import ExtractPlan

MANIFEST: Final = ".manifest.json"
"""What the name of a manifest has behind that of its file, and its signature behind that."""
SIGNATURE: Final = f"{MANIFEST}.sig"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """number            of the file on its agreement's shelf for the service, from 1; None off a shelf
    previous             SHA-256 of the manifest with the number before: a file that is missing shows
    full_because         why a full extract stands where a delta was asked for; None when it does not
    schema               column -> type, in Arrow's words, in the order in which they stand in the file
    plan                 SHA-256 of the extract's plan: the file's identity
    kind                 full, or delta: what has changed since `cursor_from`
    cursor_from          where a delta begins, None for a full extract
    cursor               where who has taken it goes on; None when rows cannot be told apart
    corrections          snapshots within a delta that went back to an earlier state
    sha256               of the file's bytes, lower-case hex
    scope                column -> the values that rows were limited to
    hide_protected_on    the day on which protection was judged, None when nothing was withheld
    protected            whether names and addresses of protected persons stand in it
    published            when the snapshot was published
    created              when the file was finished
    """

    plan: str
    file: str
    service: str
    dataset: str
    snapshot: int
    kind: str
    cursor_from: str | None
    cursor: str | None
    corrections: tuple[int, ...]
    format: str
    compression: str
    columns: tuple[str, ...]
    schema_hash: str
    contract_version: str
    scope: Mapping[str, tuple[str, ...]]
    hide_protected_on: date | None
    protected: bool
    published: datetime
    rows: int
    size_bytes: int
    sha256: str
    created: datetime
    schema: Mapping[str, str] = field(default_factory=dict)
    number: int | None = None
    previous: str | None = None
    full_because: str | None = None

    @classmethod
    def of(cls, plan: "ExtractPlan", *, rows: int, size_bytes: int, sha256: str, created: datetime) -> Self:
        return cls(
            plan=plan.id,
            file=plan.file_name,
            service=plan.service,
            dataset=plan.dataset,
            snapshot=plan.snapshot,
            kind=plan.kind,
            cursor_from=str(plan.since) if plan.since else None,
            cursor=str(plan.cursor) if plan.cursor else None,
            corrections=plan.corrections,
            format=plan.format.value,
            compression=plan.compression.value,
            columns=plan.columns,
            schema_hash=plan.schema_hash,
            contract_version=plan.contract_version,
            scope={name: tuple(values) for name, values in plan.scope.items()},
            hide_protected_on=plan.hide_protected_on,
            protected=plan.protected,
            published=plan.published,
            rows=rows,
            size_bytes=size_bytes,
            sha256=sha256,
            created=created,
            schema=plan.schema,
        )

    def numbered(self, number: int, previous: str | None, full_because: str | None) -> Self:
        """As it stands on a shelf."""
        return replace(self, number=number, previous=previous, full_because=full_because)

    def rows_between(self, start: int, stop: int) -> int:
        """How many rows the bytes [start, stop) count as, by their share of the file.

        Parts that make up the file add up to its rows exactly, however it is cut: a download in pieces is neither
        dearer nor cheaper.
        """
        if not self.size_bytes:
            return self.rows
        return self.rows * stop // self.size_bytes - self.rows * start // self.size_bytes

    def covered_by(self, grant: Grant) -> bool:
        """Whether all that the file shows may be seen under a grant. An agreement can have been narrowed since the
        file was made.
        """
        return (
            self.service == grant.service
            and (grant.columns is None or grant.columns.issuperset(self.columns))
            and all(name in self.scope and values.issuperset(self.scope[name]) for name, values in grant.rows.items())
            and (grant.protected or not self.protected)
        )

    def to_json(self) -> bytes:
        data = asdict(self)
        data["bytes"] = data.pop("size_bytes")
        return (json.dumps(data, indent=2, default=_iso) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Fields that it does not know are left out: they are of a later version; those of it that are missing are of
        an earlier one.
        """
        data: dict[str, Any] = {
            "kind": "full", "cursor_from": None, "cursor": None, "corrections": (), "compression": "none", "schema": {},
            "number": None, "previous": None, "full_because": None,
        }  # fmt: skip
        data |= json.loads(text)
        data["corrections"] = tuple(data["corrections"])
        data["size_bytes"] = data["bytes"]
        data["columns"] = tuple(data["columns"])
        data["scope"] = {name: tuple(values) for name, values in data["scope"].items()}
        for moment in ("created", "published"):
            data[moment] = datetime.fromisoformat(data[moment])
        day = data["hide_protected_on"]
        data["hide_protected_on"] = None if day is None else date.fromisoformat(day)
        return cls(**{each.name: data[each.name] for each in fields(cls)})


def _iso(value: date | datetime) -> str:
    return value.isoformat()
