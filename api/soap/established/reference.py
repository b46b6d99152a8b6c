"""Words that stand beside codes in an answer: from the platform's own municipalities, roads and authorities.

They are public. Where a register is not mirrored here, its words are left out.
"""

from typing import Any, Final

from api.doors import Doors
from kernel import DatasetId
from replica import DatasetNotReady, SnapshotInfo
from sync import municipality_cvr, presented_municipality

_MOST_KEPT: Final = 100_000
_MUNICIPALITIES: Final = DatasetId("municipality.municipalities")
_ROADS: Final = DatasetId("road.roads")
_AUTHORITIES: Final = DatasetId("authority.authorities")


class Words:
    """Keeps what it found until the register has a new snapshot."""

    def __init__(self, doors: Doors) -> None:
        self._lookups = doors.lookups
        self._known = {dataset.id for dataset in doors.registers.datasets}
        self._kept: dict[DatasetId, tuple[int, dict[str, str | None]]] = {}

    def cvr(self, municipality: str | None) -> str:
        """Of a municipality's code; where there is none in Denmark, the number that stands in."""
        code = presented_municipality(municipality or "")
        found = self._word(_MUNICIPALITIES, code, "cvr")
        return municipality_cvr(code, {} if found is None else {code: found})

    def municipality(self, code: str) -> str | None:
        return self._word(_MUNICIPALITIES, presented_municipality(code), "name")

    def codes(self, cvr: str) -> tuple[str, ...]:
        """The codes of the municipalities with a CVR number."""
        if _MUNICIPALITIES not in self._known:
            return ()
        try:
            rows, _ = self._lookups.reader(_MUNICIPALITIES).find("cvr", cvr, 10, ("code",))
        except DatasetNotReady:
            return ()
        return tuple(rows)

    def road(self, municipality: str | None, road: str | None) -> str | None:
        return self._word(_ROADS, f"{municipality}{road}", "name") if municipality and road else None

    def authority(self, code: str | None) -> str | None:
        return self._word(_AUTHORITIES, code, "name") if code else None

    def _word(self, dataset: DatasetId, key: str, column: str) -> str | None:
        if dataset not in self._known:
            return None
        try:
            reader = self._lookups.reader(dataset)
        except DatasetNotReady:
            return None
        snapshot, kept = self._kept.get(dataset, (-1, {}))
        mark = f"{column} {key}"
        if snapshot == reader.info.snapshot and mark in kept:
            return kept[mark]
        rows, info = reader.get_many([key], (column,))
        return self._keep(dataset, info, mark, rows.get(key, {}).get(column))

    def _keep(self, dataset: DatasetId, info: SnapshotInfo, mark: str, value: Any) -> str | None:
        snapshot, kept = self._kept.get(dataset, (-1, {}))
        if snapshot != info.snapshot or len(kept) >= _MOST_KEPT:
            kept = {}
            self._kept[dataset] = int(info.snapshot), kept
        kept[mark] = value
        return value if value is None else str(value)
