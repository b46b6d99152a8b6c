"""How fresh every mirrored dataset is, as operators see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from kernel import Clock, DatasetId
from replica import DatasetNotReady, RunSummary, Standing, standing_of
from runtime.attempts import Attempt, Attempts
from runtime.instance import Instance
from runtime.settings import Settings
from schemas import SHIPPED, Registers, load_registers
from sync import SourceSpec, load_sources, missing_since, next_due


@dataclass(frozen=True, slots=True)
class Watched:
    """Every source of an instance, and the datasets that they fill."""

    instance: Instance
    settings: Settings
    registers: Registers
    sources: tuple[SourceSpec, ...]
    clock: Clock

    @classmethod
    def of(cls, instance: Instance, settings: Settings, clock: Clock) -> Self:
        registers = load_registers(SHIPPED, instance.registers)
        sources = load_sources(SHIPPED, instance.registers, root=instance.root)
        return cls(instance, settings, registers, sources, clock)

    @property
    def attempts(self) -> Attempts:
        return Attempts(self.instance.run / "sources")


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


def status_of(watched: Watched, standing: Standing, now: datetime) -> tuple[DatasetStatus, ...]:
    found = []
    for source in watched.sources:
        dataset = watched.registers.dataset(source.dataset)
        info, last = standing.infos.get(dataset.id), standing.runs.get(source.name)
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
                trouble=_trouble(watched.attempts.last(source.name)),
                missing_since=missing_since(source.expected, last.finished if last else None, now),
                next_run=next_due(source.schedule, last.finished if last else None, now),
            )
        )
    return tuple(found)


def status_now(watched: Watched) -> tuple[DatasetStatus, ...]:
    """As `status_of`, for a process that has not opened the mirror."""
    try:
        standing = standing_of(watched.instance.lake, watched.settings.replica)
    except DatasetNotReady:
        standing = Standing({}, {})
    return status_of(watched, standing, watched.clock.now())


def _trouble(attempt: Attempt | None) -> str:
    if attempt is None or not attempt.failures:
        return ""
    return f"{attempt.message} ({attempt.code}); {attempt.remedy}" if attempt.remedy else attempt.message
