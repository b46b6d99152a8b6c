"""The night road from above: run a source, publish, and bring the segments up to the mirror."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kernel import Clock, DatasetId, NotFound, PlatformError
from replica import DatasetNotReady, Lake, RunSummary, SnapshotInfo, refresh_segments
from runtime.attempts import Attempt, Attempts
from runtime.contracts import apply_contract, only_additions
from runtime.instance import Instance
from runtime.settings import Settings
from schemas import SHIPPED, Dataset, Registers, load_registers
from sync import (
    Outcome,
    Progress,
    RunReport,
    SourceSpec,
    load_sources,
    missing_since,
    next_due,
    replay_quarantine,
    run_source,
)


class SourceUnknown(NotFound):
    code = "source_unknown"
    title = "There is no such source"


@dataclass(frozen=True, slots=True)
class Mirroring:
    """Every source of an instance, and the datasets that they fill."""

    instance: Instance
    settings: Settings
    registers: Registers
    sources: tuple[SourceSpec, ...]
    clock: Clock

    @classmethod
    def of(cls, instance: Instance, settings: Settings, clock: Clock) -> "Mirroring":
        registers = load_registers(SHIPPED, instance.registers)
        sources = load_sources(SHIPPED, instance.registers, root=instance.root)
        return cls(instance, settings, registers, sources, clock)

    @property
    def attempts(self) -> Attempts:
        return Attempts(self.instance.run / "sources")

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


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetStatus:
    """One dataset as operators see it. Times are None, and counts 0, before the first run.

    trouble         why the last try came to nothing, and what to do; empty when it went well
    missing_since   when a delivery should have been loaded that has not come; None when all is as promised
    """

    dataset: DatasetId
    source: str
    rows: int
    snapshot: int | None
    as_of: datetime | None
    age_s: int | None
    target_s: int | None
    fresh: bool | None
    last_run: RunSummary | None
    quarantined_rows: int
    trouble: str
    missing_since: datetime | None
    next_run: datetime | None

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON. No personal data."""
        last = self.last_run
        told = {name: getattr(self, name) for name in self.__slots__ if name != "last_run"}
        run = None
        if last is not None:
            run = {
                "run": last.run, "finished": last.finished, "mode": last.mode.value, "rows_in": last.rows_in,
                "inserted": last.inserted, "updated": last.updated, "deleted": last.deleted,
                "unchanged": last.unchanged, "quarantined": last.rows_quarantined, "snapshot": last.snapshot,
            }  # fmt: skip
        return told | {"last_run": run}


def status_of(mirroring: Mirroring, lake: Lake | None, now: datetime) -> tuple[DatasetStatus, ...]:
    """How fresh every mirrored dataset is. `lake` is None before the first publication."""
    # All at once: each look at the catalogue costs some 20 ms, and monitoring looks every minute.
    infos, runs = (lake.infos(), lake.last_runs()) if lake is not None else ({}, {})
    found = []
    for source in mirroring.sources:
        dataset = mirroring.registers.dataset(source.dataset)
        info, last = infos.get(dataset.id), runs.get(source.name)
        age = None if info is None else max(0, int((now - info.as_of).total_seconds()))
        target = dataset.freshness_target_s
        found.append(
            DatasetStatus(
                dataset=dataset.id,
                source=source.name,
                rows=info.rows if info else 0,
                snapshot=info.snapshot if info else None,
                as_of=info.as_of if info else None,
                age_s=age,
                target_s=target,
                fresh=None if age is None or target is None else age <= target,
                last_run=last,
                quarantined_rows=last.rows_quarantined if last else 0,
                trouble=_trouble(mirroring.attempts.last(source.name)),
                missing_since=missing_since(source.expected, last.finished if last else None, now),
                next_run=next_due(source.schedule, last.finished if last else None, now),
            )
        )
    return tuple(found)


def status_now(mirroring: Mirroring) -> tuple[DatasetStatus, ...]:
    """As `status_of`, by a lake that is opened for it: for whoever has none open."""
    now = mirroring.clock.now()
    try:
        with Lake.open(mirroring.instance.lake, mirroring.settings.replica, write=False) as lake:
            return status_of(mirroring, lake, now)
    except DatasetNotReady:
        return status_of(mirroring, None, now)


def _trouble(attempt: Attempt | None) -> str:
    if attempt is None or not attempt.failures:
        return ""
    return f"{attempt.message} ({attempt.code}); {attempt.remedy}" if attempt.remedy else attempt.message
