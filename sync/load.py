"""One delivery, from decoded rows to a publication: check, plan, publish."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from kernel import Clock, DataRefused, new_id
from replica import Counts, Delivery, Lake, Mode, Publication, RunRecord
from schemas import Dataset
from sync.derive import derive
from sync.fictitious import ensure_fictitious
from sync.plan import Facts, guard, plan_load
from sync.quality import violations
from sync.quarantine import hold_back, quarantine_table
from sync.report import FileReport, Outcome, Progress, Stage
from sync.sources.decoded import Decoded
from sync.spec import SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a delivery comes from, as its run record tells.

    cursor    where the source stands once it is published
    as_of     for a delivery that does not tell its own time
    settles   the run whose held-back lines it consists of; None for one that came from the source
    """

    file: str
    sha256: str
    cursor: str
    started: datetime
    as_of: datetime
    settles: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """accept            publish although a guard trips: an operator has looked and said so
    fictitious_only   whether this is a test environment; no operator can lift that
    """

    spec: SourceSpec
    dataset: Dataset
    lake: Lake
    clock: Clock
    progress: Callable[[Progress], None]
    accept: bool = False
    fictitious_only: bool = False

    def publish(self, decoded: Decoded, origin: Origin) -> FileReport:
        """Publish what may be published of a delivery. Raises DataRefused, and nothing of it is published."""
        spec, dataset = self.spec, self.dataset
        if self.fictitious_only and not spec.fictitious:
            ensure_fictitious(decoded, dataset)
        rows = derive(decoded.rows, dataset, self.lake.texts)
        judged = violations(rows, dataset, self.lake.present, whole=spec.mode is Mode.FULL)
        decoded = replace(decoded, rows=rows, warnings=decoded.warnings + judged.warnings)
        decoded = hold_back(decoded, judged.held, dataset.key)
        plan = plan_load(spec, self._facts(decoded), accept=self.accept)
        report = counted(origin.file, decoded)
        if judged.refusal is not None and not self.accept:
            return report.refused(judged.refusal)
        if plan.refusal is not None:
            return report.refused(plan.refusal)
        total = decoded.rows.num_rows
        self.progress(self._at(origin.file, 0, total))
        record = RunRecord(
            run=new_id(),
            source=spec.name,
            mode=plan.mode,
            started=origin.started,
            content_sha256=origin.sha256,
            cursor=origin.cursor,
            as_of=min(decoded.as_of or origin.as_of, origin.started),
            lines_in=decoded.lines_in,
            lines_quarantined=decoded.quarantine.height,
            rows_in=decoded.rows_in,
            rows_quarantined=decoded.rows_quarantined,
        )
        delivery = Delivery(
            rows=decoded.rows,
            deletes=decoded.deletes,
            mode=plan.mode,
            quarantine=quarantine_table(decoded, dataset, record.run, spec.name, origin.file, record.started),
            run=record,
            settles=origin.settles,
        )
        warnings = list(plan.warnings)
        if judged.refusal is not None:
            warnings.append(f"accepted: {judged.refusal.message}")

        def check(counts: Counts) -> None:
            tripped = guard(spec, counts)
            if tripped is not None and not self.accept:
                raise tripped
            if tripped is not None:
                warnings.append(f"accepted: {tripped.message}")

        try:
            publication = self.lake.publish(dataset, delivery, check)
        except DataRefused as refusal:
            return report.refused(refusal)
        self.progress(self._at(origin.file, total, total))
        # A key that is deleted and was not there is a row of the delivery that changed nothing.
        absent = 0 if plan.mode is Mode.FULL else len(decoded.deletes) - publication.deleted
        report = replace(report, unchanged=publication.unchanged + absent, warnings=report.warnings + tuple(warnings))
        return _published(report, publication)

    def _facts(self, decoded: Decoded) -> Facts:
        info = self.lake.info(self.dataset)
        return Facts(
            rows_in=decoded.rows_in,
            rows_quarantined=decoded.rows_quarantined,
            lines_quarantined=decoded.quarantine.height,
            mirrored=info.rows if info else 0,
        )

    def _at(self, file: str, done: int, total: int) -> Progress:
        return Progress(source=self.spec.name, file=file, stage=Stage.PUBLISHING, done=done, total=total)


def counted(file: str, decoded: Decoded) -> FileReport:
    reasons: Mapping[str, int] = dict(decoded.quarantine.group_by("rule").len().sort("rule").iter_rows())
    return FileReport(
        file=file,
        outcome=Outcome.UNCHANGED,
        lines_in=decoded.lines_in,
        lines_envelope=decoded.lines_envelope,
        lines_passed=decoded.lines_in - decoded.lines_envelope - decoded.quarantine.height,
        lines_quarantined=decoded.quarantine.height,
        rows_in=decoded.rows_in,
        rows_quarantined=decoded.rows_quarantined,
        reasons=reasons,
        warnings=decoded.warnings,
    )


def _published(report: FileReport, publication: Publication) -> FileReport:
    return replace(
        report,
        outcome=Outcome.PUBLISHED if publication.changed else Outcome.UNCHANGED,
        snapshot=publication.snapshot,
        inserted=publication.inserted,
        updated=publication.updated,
        deleted=publication.deleted,
    )
