"""What goes into the mirror, and what is known of it afterwards."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import pyarrow as pa

from kernel import DatasetId, SnapshotId


class Mode(StrEnum):
    """How a delivery meets the mirror.

    FULL     the delivery is the whole dataset: what it lacks is deleted
    DELTA    the delivery's rows replace rows with their keys; the others stay
    APPEND   rows with new keys are added; a row whose key is there already changes nothing
    """

    FULL = "full"
    DELTA = "delta"
    APPEND = "append"


QUARANTINE = pa.schema(
    [
        ("register", pa.string()),
        ("dataset", pa.string()),
        ("run", pa.string()),
        ("source", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("rule", pa.string()),
        ("reason", pa.string()),
        ("text", pa.string()),
        ("frame", pa.string()),
        ("at", pa.timestamp("us", "UTC")),
    ]
)
"""A held-back line: where it stood, which rule it broke, and the line itself (personal data, like the mirror's
rows). `frame` is what it needs around it to be read again.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One run of a source over one delivery; stored in the transaction that publishes its rows.

    content_sha256   of the delivery, lower-case hex: the same content is loaded once
    cursor           where the source stands after it; text that only the source understands
    as_of            the source's own time for the data
    """

    run: str
    source: str
    mode: Mode
    started: datetime
    content_sha256: str
    cursor: str
    as_of: datetime
    lines_in: int
    lines_quarantined: int
    rows_in: int
    rows_quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """rows      in the dataset's Arrow schema, each key once
    deletes   keys to delete, for a source that says so; None for none. One that stands in `rows` too is there, and one
              that the mirror lacks is nothing; under FULL they add nothing
    settles   the run whose held-back lines these are: they leave the quarantine in the same transaction
    """

    rows: pa.Table
    mode: Mode
    quarantine: pa.Table
    run: RunRecord
    deletes: pa.Array | None = None
    settles: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a delivery would do to the mirror, known before it does.

    before    rows in the mirror now
    """

    inserted: int
    updated: int
    deleted: int
    unchanged: int
    before: int

    @property
    def changed(self) -> int:
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What a delivery did. inserted + updated + unchanged are the rows of the delivery; `rows` is the dataset's total.

    snapshot   the dataset's snapshot now; a delivery that changed nothing keeps the former one
    """

    dataset: DatasetId
    snapshot: SnapshotId
    changed: bool
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    rows: int
    published: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """A dataset as it stands in the mirror.

    snapshot    the publication that last changed it, made at `published`
    as_of       the source's own time for the data that was last loaded, whether or not it changed anything
    """

    dataset: DatasetId
    snapshot: SnapshotId
    published: datetime
    as_of: datetime
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run as the mirror remembers it."""

    run: str
    source: str
    dataset: DatasetId
    mode: Mode
    started: datetime
    finished: datetime
    content_sha256: str
    cursor: str
    as_of: datetime
    lines_in: int
    lines_quarantined: int
    rows_in: int
    rows_quarantined: int
    inserted: int
    updated: int
    deleted: int
    unchanged: int
    changed: bool
    snapshot: SnapshotId
    rows: int
