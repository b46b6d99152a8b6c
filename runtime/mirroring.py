"""The night road from above: run a source, publish, and bring the segments up to the mirror."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from kernel import NotFound, PlatformError
from replica import DatasetNotReady, Lake, SnapshotInfo, refresh_segments
from runtime.contracts import apply_contract, only_additions
from runtime.status import Watched
from schemas import Dataset
from sync import (
    Outcome,
    Progress,
    RunReport,
    SourceSpec,
    next_due,
    replay_quarantine,
    run_source,
)


class SourceUnknown(NotFound):
    code = "source_unknown"
    title = "There is no such source"


@dataclass(frozen=True, slots=True)
class Mirroring(Watched):
    """Every source of an instance, and the datasets that they fill: run from here."""

    @property
    def fictitious_only(self) -> bool:
        return self.settings.environment == "test"

    def named(self, names: list[str]) -> tuple[SourceSpec, ...]:
        """The sources of these names, or all. Raises SourceUnknown."""
        known = {source.name: source for source in self.sources}
        if unknown := sorted(set(names) - set(known)):
            raise SourceUnknown(
                f"no source is called {', '.join(unknown)}", remedy=f"the sources are {', '.join(sorted(known))}"
            )
        return tuple(known[name] for name in names) if names else self.sources

    def run(
        self,
        source: SourceSpec,
        lake: Lake,
        progress: Callable[[Progress], None] | None = None,
        *,
        accept: bool = False,
    ) -> RunReport:
        """Run one source. The segments follow also when nothing was new: a crash may have left them behind."""
        dataset = self.registers.dataset(source.dataset)
        started = self.clock.now()
        try:
            self.follow(lake, dataset)
            report = run_source(
                source, dataset, lake, clock=self.clock, work=self.instance.work, accept=accept,
                fictitious_only=self.fictitious_only, progress=progress,
            )  # fmt: skip
        except PlatformError as error:
            self.attempts.failed(source.name, started, error)
            raise
        self.attempts.went(source.name, started, report)
        return self._followed(report, dataset, lake)

    def follow(self, lake: Lake, dataset: Dataset) -> None:
        """Let the lake follow the contract of a dataset, as far as nobody has to decide. Raises ContractNotApplied."""
        (contract,) = (each for each in self.registers.contracts if each.register == dataset.register)
        apply_contract(
            contract, lake, self.clock.now(), refresh=lambda each: self.refresh(lake, each),
            allowed=only_additions(contract.register),
        )  # fmt: skip

    def replay(self, source: SourceSpec, lake: Lake, progress: Callable[[Progress], None] | None = None) -> RunReport:
        """Try what was held back of a source again."""
        dataset = self.registers.dataset(source.dataset)
        self.follow(lake, dataset)
        report = replay_quarantine(
            source, dataset, lake, clock=self.clock, work=self.instance.work,
            fictitious_only=self.fictitious_only, progress=progress,
        )  # fmt: skip
        return self._followed(report, dataset, lake)

    def _followed(self, report: RunReport, dataset: Dataset, lake: Lake) -> RunReport:
        if report.outcome is not Outcome.REFUSED or lake.info(dataset) is not None:
            self.refresh(lake, dataset)
        return report

    def refresh(self, lake: Lake, dataset: Dataset) -> SnapshotInfo | None:
        """The segments as of the mirror; None while the mirror has nothing."""
        try:
            return refresh_segments(lake, dataset, self.instance.segments, self.settings.replica)
        except DatasetNotReady:
            return None

    def due(self, looked: Mapping[str, datetime], now: datetime) -> tuple[SourceSpec, ...]:
        """Sources to look at now. One in trouble is given time, more with each try.

        looked   when each was last looked at; one that never was is due at once
        """
        found = []
        for source in self.sources:
            last = looked.get(source.name)
            at = now if last is None else next_due(source.schedule, last, now)
            before = self.attempts.last(source.name)
            patience = before.retry_at() if before is not None else None
            if at is not None and max(at, patience or at) <= now:
                found.append(source)
        return tuple(found)
