"""How every dataset stands, told without the engine while nothing has been published since it was last asked.

What the mirror knows of its datasets and their runs changes with its snapshot and with nothing else. So the answer is
kept beside the catalogue, with the snapshot that it is of, which the catalogue tells by itself.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from kernel import DatasetId, new_id
from replica.delivery import Mode, RunSummary, SnapshotInfo
from replica.settings import ReplicaSettings

if TYPE_CHECKING:
    from replica.lake import Lake

_FILE: Final = "standing.json"
_FORM: Final = 1
"""Of the file: another one is not read."""
_MARK: Final = (
    "SELECT snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id"
    " FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """infos   of every dataset of which something was published
    runs    the last run of each source that ever ran
    """

    infos: Mapping[DatasetId, SnapshotInfo]
    runs: Mapping[str, RunSummary]

    @classmethod
    def of(cls, lake: "Lake") -> Self:
        return cls(lake.infos(), lake.last_runs())


def standing_of(folder: Path, settings: ReplicaSettings) -> Standing:
    """As the mirror in `folder` stands now. Raises DatasetNotReady before the first publication.

    For a process that has not opened it: a second SQLite library that closes the catalogue takes the locks away that
    DuckDB's own holds there.
    """
    mark = _mark(folder)
    if mark is not None and (kept := _kept(folder, mark)) is not None:
        return kept
    # Late: this is what the file saves.
    from replica.lake import Lake

    with Lake.open(folder, settings, write=False) as lake:
        found = Standing.of(lake)
    if mark is not None and mark == _mark(folder):
        _keep(folder, mark, found)
    return found


def _mark(folder: Path) -> list[Any] | None:
    """What tells one state of the mirror from every other; None when the catalogue does not say."""
    catalog = folder / "catalog.sqlite"
    if not catalog.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{catalog.as_uri()}?mode=ro", uri=True, timeout=1.0)) as db:
            row = db.execute(_MARK).fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else list(row)


def _kept(folder: Path, mark: list[Any]) -> Standing | None:
    """None for a file that is of another state, of another release, or damaged."""
    try:
        told = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        if (told["form"], told["mark"]) != (_FORM, mark):
            return None
        infos = [SnapshotInfo(**_timed(each, "published", "as_of")) for each in told["infos"]]
        runs = [RunSummary(**_timed(each, "started", "finished", "as_of")) for each in told["runs"]]
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return Standing({each.dataset: each for each in infos}, {each.source: each for each in runs})


def _timed(told: dict[str, Any], *times: str) -> dict[str, Any]:
    mode = {"mode": Mode(told["mode"])} if "mode" in told else {}
    return told | {name: datetime.fromisoformat(told[name]) for name in times} | mode


def _keep(folder: Path, mark: list[Any], standing: Standing) -> None:
    told = {
        "form": _FORM,
        "mark": mark,
        "infos": [asdict(each) for each in standing.infos.values()],
        "runs": [asdict(each) for each in standing.runs.values()],
    }
    draft = folder / f".{_FILE}.{new_id()}"
    # Whoever may look and not write looks again the next time.
    with contextlib.suppress(OSError):
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(told, file, default=_iso)
        draft.replace(folder / _FILE)


def _iso(moment: datetime) -> str:
    return moment.isoformat()
