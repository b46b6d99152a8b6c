"""The reader of the lake that a process has, and what the rooms ask it."""

from datetime import datetime
from threading import Lock

import pyarrow as pa

from extract import ExtractPlan, estimate, rows_of
from integrations import changes_of
from kernel import SnapshotId
from replica import AsOf, DatasetNotReady, Found, Lake, PastReader, Search, SnapshotInfo, View, read_past
from runtime.instance import Instance
from runtime.settings import Settings
from schemas import Dataset, Registers


class Scanner:
    """Reads the lake, which is opened for the first extract, search or look into the past: lookups do not need it."""

    def __init__(self, instance: Instance, settings: Settings, registers: Registers) -> None:
        self._instance, self._settings, self._registers = instance, settings, registers
        self._lake: Lake | None = None
        self._opening = Lock()

    def __enter__(self) -> "Scanner":
        return self

    def __exit__(self, *_: object) -> None:
        if self._lake is not None:
            self._lake.__exit__()

    def past(self, dataset: Dataset, moment: datetime | SnapshotId) -> PastReader:
        return read_past(self.lake(), dataset, moment)

    def first_from(self, dataset: Dataset, moment: datetime | SnapshotId) -> tuple[SnapshotId | None, bool]:
        return self.lake().first_from(dataset, moment)

    def changed(
        self, dataset: Dataset, view: View, since: AsOf, until: AsOf, skip: int, limit: int
    ) -> list[tuple[str, str]]:
        return changes_of(self.lake(), dataset, view, since, until, skip, limit)

    def find(self, dataset: Dataset, search: Search, snapshot: SnapshotId) -> Found:
        return self.lake().search(dataset, search, snapshot, timeout_s=self._settings.replica.search_timeout_s)

    def lake(self) -> Lake:
        """Open from the first call on. Raises DatasetNotReady before anything was published."""
        with self._opening:
            if self._lake is None:
                self._lake = Lake.open(self._instance.lake, self._settings.replica, write=False)
            return self._lake

    def scan(self, plan: ExtractPlan, keys: tuple[str | None, str | None] | None = None) -> pa.RecordBatchReader:
        return rows_of(self.lake, self._registers.dataset(plan.dataset), plan, keys, segments=self._instance.segments)

    def info(self, dataset: Dataset, snapshot: SnapshotId | None) -> SnapshotInfo:
        """As of a snapshot, or as it is now (None). Raises HistoryExpired, DatasetNotReady."""
        if snapshot is not None:
            return self.lake().info_at(dataset, snapshot)
        found = self.lake().info(dataset)
        if found is None:
            raise DatasetNotReady(f"{dataset.id} has not been mirrored yet", remedy="wait for its first delivery")
        return found

    def estimate(self, plan: ExtractPlan) -> int | None:
        return estimate(self.lake(), self._registers.dataset(plan.dataset), plan)

    def corrections(self, dataset: Dataset, since: SnapshotId, until: SnapshotId) -> tuple[SnapshotId, ...]:
        return self.lake().corrections(dataset, since, until)
