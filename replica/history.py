"""The past: a dataset as it was at a time or in a snapshot, read from the lake.

Slower than segments, which hold the newest snapshot alone, and as exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kernel import SnapshotId
from replica.delivery import SnapshotInfo
from replica.lake import Lake
from schemas import Dataset


@dataclass(frozen=True, slots=True)
class PastReader:
    """Records of one dataset, all from one snapshot; takes the place of a LookupReader."""

    lake: Lake
    dataset: Dataset
    info: SnapshotInfo

    def get_many(
        self, keys: Sequence[str], columns: tuple[str, ...] | None = None
    ) -> tuple[dict[str, dict[str, Any]], SnapshotInfo]:
        """The rows that there are, in the order asked, and the snapshot. Raises HistoryExpired."""
        names = self.dataset.names if columns is None else columns
        key = self.dataset.key
        # The key is read too, to know whose row it is.
        found = self.lake.records(self.dataset, keys, self.info.snapshot, tuple(dict.fromkeys((key, *names))))
        rows = {row[key]: row for row in found.to_pylist()}
        wanted = [each for each in dict.fromkeys(keys) if each in rows]
        return {each: {name: rows[each][name] for name in names} for each in wanted}, self.info


def read_past(lake: Lake, dataset: Dataset, moment: datetime | SnapshotId) -> PastReader:
    """The dataset as it was mirrored at a time, or in a snapshot. Raises HistoryExpired."""
    return PastReader(lake, dataset, lake.info_at(dataset, moment))
