"""Segments: what lookups search, made from the mirror and brought up to it after each publication.

A stack has a base (every row at some snapshot) and small deltas from the change feed, newest first. A publication
costs a delta, never a base. Deltas fold: small ones into one another at once, so that a lookup asks few parts, and all
of them into a new base by `fold_segments`, when nobody waits. Segments are derived: what is missing or unreadable is
made anew from the mirror.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa

from kernel import SnapshotId
from replica.delivery import SnapshotInfo
from replica.errors import HistoryExpired
from replica.folding import fold
from replica.lake import Lake
from replica.nested import JUDGED, judged_by
from replica.part_writer import write_part
from replica.parts import Part, Pointer, remove_unnamed
from replica.reading import not_ready
from replica.settings import ReplicaSettings
from schemas import Dataset

MOST_DELTAS: Final = 8
DELTA_ROWS: Final = 65_536
"""Rows per batch of a delta."""
SMALL_ROWS: Final = 1_000
"""Deltas below this many rows in all are not worth a new base, whatever their share."""
QUICK_ROWS: Final = 250_000
"""What has at most this many rows is folded at once: it takes about a second, and a lookup can wait that long."""


def refresh_segments(lake: Lake, dataset: Dataset, root: Path, settings: ReplicaSettings) -> SnapshotInfo:
    """Bring the segments of a dataset, in `root/<dataset id>`, up to the mirror. Safe to be killed at any point.

    Costs what changed, and never waits for a fold. Raises DatasetNotReady when nothing was published.
    """
    folder = root / dataset.id
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder / ".lock"):
        info = lake.info(dataset)
        if info is None:
            raise not_ready(dataset)
        old = Pointer.read(folder)
        new = _next(lake, dataset, folder, info, old if old and _usable(folder, old, dataset) else None)
        if new != old:
            new.write(folder)
        with _locked(folder / ".fold", wait=False) as alone:
            # While a fold runs in another process, what it reads and what it has written must stay.
            if alone:
                quick = _quick(new.parts, settings.fold_share)
                if quick > 1:
                    new = replace(new, parts=(fold(folder, dataset, new.parts, quick), *new.parts[quick:]))
                    new.write(folder)
                remove_unnamed(folder, new)
        return info


def fold_segments(dataset: Dataset, root: Path, settings: ReplicaSettings) -> bool:
    """Fold the deltas into a new base when they are due; whether they were.

    Takes as long as copying the base takes, and reads nothing but the segments: it holds up no lookup, no refresh and
    no writer of the mirror. Safe to be killed at any point.
    """
    folder = root / dataset.id
    if not folder.exists():
        return False
    with _locked(folder / ".fold", wait=False) as alone:
        with _locked(folder / ".lock"):
            old = Pointer.read(folder)
        if not alone or old is None or not _usable(folder, old, dataset) or not is_due(old.parts, settings.fold_share):
            return False
        base = fold(folder, dataset, old.parts, len(old.parts))
        with _locked(folder / ".lock"):
            now = Pointer.read(folder)
            newer = len(now.parts) - len(old.parts) if now else -1
            if now is None or newer < 0 or now.parts[newer:] != old.parts:
                # The stack was made anew in the meantime.
                shutil.rmtree(folder / base.name)
                return False
            now = replace(now, parts=(*now.parts[:newer], base))
            now.write(folder)
            remove_unnamed(folder, now)
    return True


def columns_hash(dataset: Dataset) -> str:
    """What a stack was made for: other columns, types, secondary keys or lists to judge by need another stack."""
    judged = judged_by(dataset)
    # A dataset without such a list keeps the stack that it has.
    beside = "" if judged is None else f" {JUDGED} {judged} {dataset.arrow.field(judged).type}"
    return hashlib.sha256(f"{dataset.arrow} {dataset.secondary_keys}{beside}".encode()).hexdigest()


def is_due(parts: tuple[Part, ...], share: float) -> bool:
    """Pure: whether the deltas on top of the base call for a new one."""
    *deltas, base = parts
    changed = sum(part.changed for part in deltas)
    return len(deltas) > 2 * MOST_DELTAS or changed > max(SMALL_ROWS, share * base.rows)


def _quick(parts: tuple[Part, ...], share: float) -> int:
    """Pure: how many of the newest parts to fold into one at once; 1 for none.

    Each delta takes in the older ones that are not much larger, so a row is copied a few times at most.
    """
    deltas = len(parts) - 1
    if is_due(parts, share) and sum(part.changed for part in parts) <= QUICK_ROWS:
        return len(parts)
    if deltas <= MOST_DELTAS:
        return 1
    count, rows = 1, parts[0].changed
    while count < deltas and parts[count].changed <= 2 * rows and rows + parts[count].changed <= QUICK_ROWS:
        rows += parts[count].changed
        count += 1
    return count


def _next(lake: Lake, dataset: Dataset, folder: Path, info: SnapshotInfo, old: Pointer | None) -> Pointer:
    if old is None:
        return _pointer(dataset, info, (_base(lake, dataset, folder, info.snapshot),))
    if old.snapshot == info.snapshot:
        return _pointer(dataset, info, old.parts)
    try:
        changed = lake.packed_changes(dataset, old.snapshot, info.snapshot)
    except HistoryExpired:
        # The change feed no longer reaches back to the stack's snapshot.
        return _pointer(dataset, info, (_base(lake, dataset, folder, info.snapshot),))
    return _pointer(dataset, info, (_delta(dataset, folder, changed), *old.parts))


def _base(lake: Lake, dataset: Dataset, folder: Path, snapshot: SnapshotId) -> Part:
    frames = (pl.DataFrame(pl.from_arrow(batch)) for batch in lake.packed(dataset, snapshot))
    return write_part(folder, "base", dataset, frames)


def _delta(dataset: Dataset, folder: Path, changed: pa.Table) -> Part:
    rows = pl.DataFrame(pl.from_arrow(changed))
    arrived = rows.filter(pl.col("_change") != "delete").drop("_change")
    gone = rows.filter(pl.col("_change") == "delete")[dataset.key]
    return write_part(folder, "delta", dataset, arrived.iter_slices(DELTA_ROWS), gone)


def _usable(folder: Path, pointer: Pointer, dataset: Dataset) -> bool:
    whole = all((folder / part.name / file).exists() for part in pointer.parts for file in part.files)
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
def _locked(path: Path, *, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a file, which the operating system releases however the process ends; whether it is held."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)
