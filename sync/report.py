"""What a run did, in counts that add up."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from kernel import DatasetId, PlatformError, SnapshotId


class Outcome(StrEnum):
    """NOTHING_NEW   no file that was not loaded before
    UNCHANGED     files were loaded, and the mirror already held all their rows
    """

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    REFUSED = "refused"
    NOTHING_NEW = "nothing_new"


class Stage(StrEnum):
    READING = "reading"
    DECODING = "decoding"
    PUBLISHING = "publishing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a run is: `done` of `total` bytes while reading, rows after that; a total of None is not known."""

    source: str
    file: str
    stage: Stage
    done: int
    total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReport:
    """One file of a run.

    lines_in = lines_envelope + lines_passed + lines_quarantined
    rows_in = inserted + updated + unchanged + rows_quarantined, and + deleted where the source names the rows that
    are gone (in a full load they are those that are not in it). Of a refused file nothing is published, so that it
    has rows_in = rows_quarantined + the rows that were refused with it

    lines_passed   lines of the rows that were published or already there
    reasons        rule -> lines held back for it
    code           of the refusal; `message` and `remedy` say why, and what to do
    """

    file: str
    outcome: Outcome
    snapshot: SnapshotId | None = None
    lines_in: int = 0
    lines_envelope: int = 0
    lines_passed: int = 0
    lines_quarantined: int = 0
    rows_in: int = 0
    rows_quarantined: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    code: str | None = None
    message: str = ""
    remedy: str = ""
    duration_s: float = 0.0

    def refused(self, error: PlatformError) -> Self:
        """This report, of a file of which nothing was published."""
        return replace(self, outcome=Outcome.REFUSED, code=error.code, message=error.message, remedy=error.remedy)

    @property
    def published(self) -> int:
        """Rows that are new or other than before."""
        return self.inserted + self.updated


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """One run of a source: its files in the order they were loaded; it stops at the first that is refused."""

    source: str
    dataset: DatasetId
    files: tuple[FileReport, ...] = ()
    duration_s: float = 0.0

    @property
    def outcome(self) -> Outcome:
        outcomes = {each.outcome for each in self.files}
        for outcome in (Outcome.REFUSED, Outcome.PUBLISHED, Outcome.UNCHANGED):
            if outcome in outcomes:
                return outcome
        return Outcome.NOTHING_NEW

    @property
    def ok(self) -> bool:
        return self.outcome is not Outcome.REFUSED

    @property
    def snapshot(self) -> SnapshotId | None:
        """The last snapshot that the run published."""
        return next((each.snapshot for each in reversed(self.files) if each.snapshot is not None), None)

    @property
    def lines_in(self) -> int:
        return sum(each.lines_in for each in self.files)

    @property
    def lines_quarantined(self) -> int:
        return sum(each.lines_quarantined for each in self.files)

    @property
    def rows_in(self) -> int:
        return sum(each.rows_in for each in self.files)

    @property
    def published(self) -> int:
        return sum(each.published for each in self.files)

    @property
    def unchanged(self) -> int:
        return sum(each.unchanged for each in self.files)

    @property
    def deleted(self) -> int:
        return sum(each.deleted for each in self.files)

    @property
    def quarantined(self) -> int:
        """Rows held back."""
        return sum(each.rows_quarantined for each in self.files)

    @property
    def reasons(self) -> Mapping[str, int]:
        """rule -> lines held back for it."""
        return dict(sum((Counter(each.reasons) for each in self.files), Counter[str]()))

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(f"{each.file}: {warning}" for each in self.files for warning in each.warnings)

    @property
    def message(self) -> str:
        """Why the run was refused, else what there is to say."""
        refused = [f"{each.file}: {each.message}" for each in self.files if each.message]
        return "; ".join(refused)

    def one_line(self) -> str:
        head = f"{self.source}: {self.outcome.value.replace('_', ' ')}"
        if not self.files:
            return head
        counts = [f"{self.rows_in:,} rows in", f"{self.published:,} published", f"{self.unchanged:,} unchanged"]
        counts += [f"{self.deleted:,} deleted"] if self.deleted else []
        counts += [f"{self.quarantined:,} held back"]
        if self.reasons:
            counts[-1] += f" ({', '.join(f'{rule} {count:,}' for rule, count in sorted(self.reasons.items()))})"
        tail = f" in {self.duration_s:.1f} s"
        return f"{head}: {', '.join(counts)}{tail}{f': {self.message}' if self.message else ''}"

    def as_dict(self) -> dict[str, object]:
        """The run as plain values, for JSON."""
        names = "source dataset outcome snapshot lines_in lines_quarantined rows_in published unchanged deleted"
        names += " quarantined reasons warnings message duration_s"
        return {name: getattr(self, name) for name in names.split()} | {"files": [each.file for each in self.files]}
