"""Parts of a segment stack: immutable folders of memory-mapped files, and the pointer that names them.

A part is `rows.arrow` (uncompressed Arrow IPC, batches of BATCH_ROWS rows, sorted by key, nested columns folded into
one), `schema.arrow` (the columns they are of), `keys.npy` (their keys) and `gone.npy` (keys deleted). It is made
under a temporary name, synced and renamed; the pointer is
replaced last. A reader finds the old stack or the new one, never half of either. Rows lie here in clear, since
lookups map them into memory: folders have mode 0700, and the instance belongs on an encrypted disk.
"""

import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import polars as pl
import pyarrow as pa

from kernel import DatasetId, SnapshotId
from replica.delivery import SnapshotInfo
from replica.nested import folded, nested_names

FORMAT: Final = 2
BATCH_ROWS: Final = 262_144
"""Rows per batch of a part: a row's batch and place follow from its number by division, and a base of any size is
written in the memory of one batch."""
POINTER: Final = "pointer.json"
FILES: Final = ("rows.arrow", "schema.arrow", "keys.npy", "gone.npy")
WIDEST_NUMBER: Final = 18
"""Keys of up to 18 digits fit a signed 64-bit integer."""

Keys = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """digits   width of the keys when all are digits of one width, and are kept as integers; else 0"""

    name: str
    rows: int
    gone: int
    digits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """The stack of a dataset: `parts` newest first, the base last."""

    dataset: DatasetId
    snapshot: SnapshotId
    published: datetime
    as_of: datetime
    rows: int
    columns: str
    parts: tuple[Part, ...]

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """None when there is none, or none that this version can read: the stack is then made anew."""
        try:
            data = json.loads((folder / POINTER).read_text(encoding="utf-8"))
            if data.pop("format") != FORMAT:
                return None
            data["parts"] = tuple(Part(**part) for part in data["parts"])
            for name in ("published", "as_of"):
                data[name] = datetime.fromisoformat(data[name])
            return cls(**data)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        data = asdict(self) | {
            "format": FORMAT,
            "published": self.published.isoformat(),
            "as_of": self.as_of.isoformat(),
        }
        draft = folder / f".{POINTER}.part"
        with draft.open("w", encoding="utf-8") as file:
            json.dump(data, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(folder / POINTER)
        sync_folder(folder)

    @property
    def info(self) -> SnapshotInfo:
        return SnapshotInfo(
            dataset=self.dataset,
            snapshot=self.snapshot,
            published=self.published,
            as_of=self.as_of,
            rows=self.rows,
        )


def write_part(
    folder: Path, kind: str, schema: pa.Schema, key: str, batches: Iterable[pa.RecordBatch], gone: Iterable[str] = ()
) -> Part:
    """Write a part from rows sorted by key, and give it its name."""
    name = f"{kind}-{uuid.uuid4().hex}"
    draft = folder / f".{name}.part"
    draft.mkdir(mode=0o700)
    try:
        keys = _write_rows(draft / "rows.arrow", schema, key, batches)
        deleted = np.array([encoded(each) for each in sorted(gone)], dtype=bytes)
        digits = _digits(keys)
        if digits:
            keys = keys.astype(np.int64)
        (draft / "schema.arrow").write_bytes(schema.serialize().to_pybytes())
        np.save(draft / "keys.npy", keys, allow_pickle=False)
        np.save(draft / "gone.npy", deleted, allow_pickle=False)
        for file in draft.iterdir():
            _sync_file(file)
        sync_folder(draft)
        draft.rename(folder / name)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Part(name=name, rows=len(keys), gone=len(deleted), digits=digits)


def remove_unnamed(folder: Path, pointer: Pointer) -> None:
    """Remove parts that the pointer does not name, and what a crash left. Readers keep the files they have mapped."""
    named = {part.name for part in pointer.parts}
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name not in named:
            shutil.rmtree(entry, ignore_errors=True)


def encoded(key: str) -> bytes:
    return key.encode("utf-8")


def sync_folder(folder: Path) -> None:
    """A rename survives a power cut only when its folder is synced too."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_rows(path: Path, schema: pa.Schema, key: str, batches: Iterable[pa.RecordBatch]) -> Keys:
    """Write the rows in batches of BATCH_ROWS; gives their keys as bytes."""
    collected: list[Keys] = []
    # polars keeps text as views; written so, a mapped file is read without being copied.
    newest = pl.CompatLevel.newest()
    nested = nested_names(schema)
    shape = folded(pl.DataFrame(pl.from_arrow(schema.empty_table())), nested).to_arrow(compat_level=newest).schema
    path.touch(mode=0o600)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, shape) as writer:
        for table in _regrouped(schema, batches):
            frame = pl.DataFrame(pl.from_arrow(table))
            collected.append(frame[key].cast(pl.Binary).to_numpy().astype(bytes))
            written = folded(frame, nested).rechunk().to_arrow(compat_level=newest)
            writer.write_table(written.combine_chunks(), max_chunksize=BATCH_ROWS)
    return np.concatenate(collected) if collected else np.array([], dtype="S1")


def _regrouped(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The same rows in tables of exactly BATCH_ROWS rows, but for the last."""
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        while batch.num_rows:
            piece = batch.slice(0, BATCH_ROWS - held)
            waiting.append(piece)
            held += piece.num_rows
            batch = batch.slice(piece.num_rows)
            if held == BATCH_ROWS:
                yield pa.Table.from_batches(waiting, schema)
                waiting, held = [], 0
    if held:
        yield pa.Table.from_batches(waiting, schema)


def _digits(keys: Keys) -> int:
    """The common width when every key is that many digits, else 0: '851' and '0851' must stay two keys."""
    if not len(keys):
        return 0
    width = keys.dtype.itemsize
    if width > WIDEST_NUMBER:
        return 0
    letters = keys.view(np.uint8).reshape(len(keys), width)
    return width if bool(((letters >= ord("0")) & (letters <= ord("9"))).all()) else 0


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
