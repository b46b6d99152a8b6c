"""Segments: what lookups search, made from the mirror and brought up to it after each publication.

A stack has a base (every row at some snapshot) and small deltas from the change feed, newest first. A publication
costs a delta, never a base; deltas fold into a new base when there are many of them or they pass a share of its
rows. Segments are derived: what is missing or unreadable is made anew.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from kernel import SnapshotId
from replica.delivery import SnapshotInfo
from replica.lake import Lake, not_ready
from replica.parts import FILES, Part, Pointer, remove_unnamed, write_part
from replica.settings import ReplicaSettings
from schemas import Dataset

MOST_DELTAS: Final = 8
SMALL_ROWS: Final = 1_000
"""Deltas below this many rows in all are not worth a new base, whatever their share."""


def refresh_segments(lake: Lake, dataset: Dataset, root: Path, settings: ReplicaSettings) -> SnapshotInfo:
    """Bring the segments of a dataset, in `root/<dataset id>`, up to the mirror. Safe to be killed at any point.

    Raises DatasetNotReady when nothing was published.
    """
    folder = root / dataset.id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(folder):
        info = lake.info(dataset)
        if info is None:
            raise not_ready(dataset)
        old = Pointer.read(folder)
        new = _next(lake, dataset, folder, info, old if old and _usable(folder, old, dataset) else None, settings)
        if new != old:
            new.write(folder)
        remove_unnamed(folder, new)
        return info


def columns_hash(dataset: Dataset) -> str:
    """What a stack was made for: other columns or types need another stack."""
    return hashlib.sha256(str(dataset.arrow).encode()).hexdigest()


def _next(
    lake: Lake, dataset: Dataset, folder: Path, info: SnapshotInfo, old: Pointer | None, settings: ReplicaSettings
) -> Pointer:
    if old is None:
        return _pointer(dataset, info, (_base(lake, dataset, folder, info.snapshot),))
    if old.snapshot == info.snapshot:
        return _pointer(dataset, info, old.parts)
    try:
        changed = lake.changes(dataset, old.snapshot, info.snapshot)
    except duckdb.Error:
        # The change feed no longer reaches back to the stack's snapshot.
        return _pointer(dataset, info, (_base(lake, dataset, folder, info.snapshot),))
    if _should_fold(old.parts, changed.num_rows, settings.fold_share):
        return _pointer(dataset, info, (_base(lake, dataset, folder, info.snapshot),))
    return _pointer(dataset, info, (_delta(dataset, folder, changed), *old.parts))


def _should_fold(parts: tuple[Part, ...], more: int, share: float) -> bool:
    """Pure: whether `more` changed rows on top of these parts call for a new base."""
    *deltas, base = parts
    changed = more + sum(part.rows + part.gone for part in deltas)
    return len(deltas) + 1 > MOST_DELTAS or changed > max(SMALL_ROWS, share * base.rows)


def _base(lake: Lake, dataset: Dataset, folder: Path, snapshot: SnapshotId) -> Part:
    rows = lake.scan(dataset, snapshot=snapshot)
    return write_part(folder, "base", dataset.arrow, dataset.key, rows)


def _delta(dataset: Dataset, folder: Path, changed: pa.Table) -> Part:
    deleted = pc.equal(changed["_change"], "delete")
    arrived = changed.filter(pc.invert(deleted)).drop_columns(["_change"])
    gone = changed.filter(deleted)[dataset.key].to_pylist()
    return write_part(folder, "delta", dataset.arrow, dataset.key, arrived.to_batches(), gone)


def _usable(folder: Path, pointer: Pointer, dataset: Dataset) -> bool:
    files = [folder / part.name / name for part in pointer.parts for name in FILES]
    whole = all(file.exists() for file in files)
    return whole and bool(pointer.parts) and pointer.columns == columns_hash(dataset)


def _pointer(dataset: Dataset, info: SnapshotInfo, parts: tuple[Part, ...]) -> Pointer:
    return Pointer(
        dataset=info.dataset,
        snapshot=info.snapshot,
        published=info.published,
        as_of=info.as_of,
        rows=info.rows,
        columns=columns_hash(dataset),
        parts=parts,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time makes the segments of a dataset; the next waits."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
