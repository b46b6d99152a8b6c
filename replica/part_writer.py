"""Writing one part of a segment stack: in the memory of one batch, and of the keys of all."""

import os
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from replica.arrays import Keys, numbered, save, searchable
from replica.errors import LakeInconsistent
from replica.merge import ascending
from replica.parts import Part, index_files, sync_folder
from schemas import Dataset

WIDEST_VALUE: Final = 32
"""Bytes of a text that a secondary key is searched by; what is beyond is compared in the row."""


def write_part(
    folder: Path, kind: str, dataset: Dataset, frames: Iterable[pl.DataFrame], gone: pl.Series | None = None
) -> Part:
    """Write a part from packed rows sorted by key, and give it its name.

    gone   keys that are deleted

    Raises LakeInconsistent when the rows are not sorted.
    """
    name = f"{kind}-{uuid.uuid4().hex}"
    draft = folder / f".{name}.part"
    draft.mkdir(mode=0o700)
    try:
        rows = _write_rows(draft / "rows.arrow", dataset, frames)
        (draft / "schema.arrow").write_bytes(dataset.arrow.serialize())
        keys, digits = numbered(_joined(rows.keys))
        save(draft / "keys.npy", keys)
        deleted = searchable(gone) if gone is not None else _joined([])
        save(draft / "gone.npy", deleted)
        for column, index in rows.indexes.items():
            for file, array in zip(index_files(column), index.sorted(), strict=True):
                save(draft / file, array)
        for path in draft.iterdir():
            path.chmod(0o600)
            _sync_file(path)
        sync_folder(draft)
        draft.rename(folder / name)
        sync_folder(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return Part(name=name, rows=len(keys), gone=len(deleted), digits=digits, indexed=tuple(rows.indexes))


@dataclass(slots=True)
class _Index:
    """What a secondary key needs of each batch: its values, and the numbers of their rows."""

    values: list[Keys] = field(default_factory=list)
    rows: list[Keys] = field(default_factory=list)

    def add(self, values: pl.Series, first_row: int) -> None:
        self.values.append(searchable(values.drop_nulls(), WIDEST_VALUE))
        self.rows.append((values.is_not_null().arg_true() + first_row).to_numpy().astype(np.uint32))

    def sorted(self) -> tuple[Keys, Keys]:
        """Values in order, and their rows, in order where values are equal."""
        values, rows = _joined(self.values), np.concatenate([np.array([], np.uint32), *self.rows])
        order = values.argsort(kind="stable")
        return values[order], rows[order]


@dataclass(slots=True)
class _Written:
    keys: list[Keys]
    indexes: dict[str, _Index]


def _write_rows(path: Path, dataset: Dataset, frames: Iterable[pl.DataFrame]) -> _Written:
    done = _Written([], {name: _Index() for name in dataset.secondary_keys})
    last: list[pa.Array] = []
    first_row = 0
    writer: pa.ipc.RecordBatchFileWriter | None = None
    path.touch(mode=0o600)
    with pa.OSFile(str(path), "wb") as sink:
        for frame in frames:
            if frame.is_empty():
                continue
            keys = frame[dataset.key].to_arrow(compat_level=pl.CompatLevel.oldest())
            if not ascending([*last, keys]):
                raise LakeInconsistent(
                    f"the rows of {dataset.id} do not come sorted by key", remedy="tell whoever develops the platform"
                )
            last = [keys.slice(len(keys) - 1)]
            done.keys.append(searchable(frame[dataset.key]))
            for name, index in done.indexes.items():
                index.add(frame[name], first_row)
            # polars keeps text as views; written so, a mapped file is read without being copied.
            table = frame.rechunk().to_arrow(compat_level=pl.CompatLevel.newest()).combine_chunks()
            writer = writer or pa.ipc.new_file(sink, table.schema)
            writer.write_table(table)
            first_row += frame.height
        writer = writer or pa.ipc.new_file(sink, pa.schema([]))
        writer.close()
    return done


def _joined(arrays: list[Keys]) -> Keys:
    return np.concatenate(arrays) if arrays else np.array([], "S1")


def _sync_file(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
