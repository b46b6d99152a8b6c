"""Lookups: a row by its key, from memory-mapped segments.

A key is found by binary search in an array of keys; its row is read from a mapped Arrow batch. DuckDB is not
involved. Readers look at the pointer at most every CHECK_S seconds and change over to a new stack between two
lookups; the old one lives until its last user lets go.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from kernel import DatasetId
from replica.delivery import SnapshotInfo
from replica.errors import DatasetNotReady
from replica.nested import TEXT, decoder_of, nested_names
from replica.parts import BATCH_ROWS, POINTER, Keys, Part, Pointer, encoded

CHECK_S: Final = 0.05
MOST_CHOICES: Final = 100
"""Callers choose columns freely; what is kept of their choices may not grow without end."""

Row = dict[str, Any]
Columns = tuple[str, ...] | None


class _MappedPart:
    """One part, mapped. `find` says where a key's row is, None when this part does not know the key."""

    __slots__ = ("_batches", "_chosen", "_decoder", "_digits", "_gone", "_keys", "_nested", "_rows", "_whole")

    def __init__(self, folder: Path, part: Part) -> None:
        place = folder / part.name
        self._digits = part.digits
        self._keys = _mapped_array(place / "keys.npy")
        self._rows = len(self._keys)
        self._gone = frozenset(_mapped_array(place / "gone.npy").tolist())
        with pa.memory_map(str(place / "rows.arrow")) as source:
            file = pa.ipc.open_file(source)
            batches = [file.get_batch(number) for number in range(file.num_record_batches)]
        self._batches = [pl.DataFrame(pl.from_arrow(batch)) for batch in batches]
        schema = pa.ipc.read_schema(pa.py_buffer((place / "schema.arrow").read_bytes()))
        self._nested = frozenset(nested_names(schema))
        self._decoder = decoder_of(schema) if self._nested else None
        self._chosen: dict[tuple[str, ...], _Choice] = {}
        self._whole = self._choice(tuple(schema.names))

    def place(self, key: str) -> int | None:
        """The number of the key's row, -1 when the key was deleted here, None when it is unknown here."""
        if self._rows:
            wanted: int | bytes | None
            if self._digits:
                wanted = int(key) if len(key) == self._digits and key.isascii() and key.isdigit() else None
            else:
                wanted = encoded(key)
                # numpy pads with NUL and compares without it; and a longer key would be cut to fit.
                if not wanted or len(wanted) > self._keys.dtype.itemsize or wanted.endswith(b"\0"):
                    wanted = None
            if wanted is not None:
                at = int(self._keys.searchsorted(wanted))
                if at < self._rows and self._keys[at] == wanted:
                    return at
        return -1 if self._gone and encoded(key) in self._gone else None

    def row(self, at: int, columns: Columns) -> Row:
        choice = self._whole if columns is None else self._select(columns)
        batch, offset = divmod(at, BATCH_ROWS)
        # A frame without columns has no rows either.
        row = choice.flat[batch].row(offset, named=True) if choice.flat else {}
        if choice.texts and self._decoder is not None:
            nested = self._decoder.decode(choice.texts[batch][offset])
            if choice.nested is None:
                row.update(nested)
            else:
                for name in choice.nested:
                    row[name] = nested[name]
        return row

    def _select(self, columns: tuple[str, ...]) -> "_Choice":
        choice = self._chosen.get(columns)
        if choice is None:
            if len(self._chosen) > MOST_CHOICES:
                self._chosen = {}
            choice = self._chosen[columns] = self._choice(columns)
        return choice

    def _choice(self, columns: tuple[str, ...]) -> "_Choice":
        flat = [name for name in columns if name not in self._nested]
        nested = tuple(name for name in columns if name in self._nested)
        return _Choice(
            flat=[frame.select(flat) for frame in self._batches] if flat else [],
            texts=[frame[TEXT] for frame in self._batches] if nested else [],
            nested=None if len(nested) == len(self._nested) else nested,
        )


@dataclass(frozen=True, slots=True)
class _Choice:
    """Some columns of a part, batch by batch.

    texts    where nested columns are among them
    nested   which of the nested columns, None for all of them
    """

    flat: list[pl.DataFrame]
    texts: list[pl.Series]
    nested: tuple[str, ...] | None


class _Stack:
    """An immutable stack of parts, newest first."""

    __slots__ = ("info", "parts")

    def __init__(self, folder: Path, pointer: Pointer) -> None:
        self.info = pointer.info
        self.parts = tuple(_MappedPart(folder, part) for part in pointer.parts)

    def get(self, key: str, columns: Columns) -> Row | None:
        for part in self.parts:
            at = part.place(key)
            if at is not None:
                return part.row(at, columns) if at >= 0 else None
        return None


class LookupReader:
    """Rows of one dataset by key. Safe to use from several threads."""

    def __init__(self, dataset: DatasetId, folder: Path) -> None:
        self._dataset, self._folder = dataset, folder
        self._pointer = folder / POINTER
        self._mark = self._seen()
        self._stack = self._open()
        self._checked = time.monotonic()
        self._swapping = threading.Lock()

    @property
    def info(self) -> SnapshotInfo:
        """The snapshot that the next lookup reads."""
        return self._current().info

    def get(self, key: str, columns: Columns = None) -> Row | None:
        """The row as column -> value, or None. Nested columns are dicts and lists."""
        return self._current().get(key, columns)

    def get_many(self, keys: Sequence[str], columns: Columns = None) -> tuple[dict[str, Row], SnapshotInfo]:
        """Rows of those keys that have one, in the order asked, and the one snapshot that all were read from."""
        stack = self._current()
        found: dict[str, Row] = {}
        for key in keys:
            row = stack.get(key, columns)
            if row is not None:
                found[key] = row
        return found, stack.info

    def _current(self) -> _Stack:
        now = time.monotonic()
        if now - self._checked > CHECK_S:
            self._checked = now
            mark = self._seen()
            if mark is not None and mark != self._mark and self._swapping.acquire(blocking=False):
                try:
                    self._stack, self._mark = self._open(), mark
                finally:
                    self._swapping.release()
        return self._stack

    def _seen(self) -> tuple[int, int] | None:
        try:
            found = self._pointer.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _open(self) -> _Stack:
        # A part may be removed between reading the pointer and opening it: then the pointer is already a newer one.
        for _ in range(20):
            pointer = Pointer.read(self._folder)
            if pointer is None:
                break
            try:
                return _Stack(self._folder, pointer)
            except FileNotFoundError:
                time.sleep(0.01)
        raise DatasetNotReady(
            f"{self._dataset} has no segments here yet", remedy="run `knudepunkt sync`", retry_after_s=10
        )


class Lookups:
    """The readers of one process, one per dataset, opened when first asked for."""

    def __init__(self, root: Path, datasets: Iterable[DatasetId]) -> None:
        self._folders: Mapping[DatasetId, Path] = {dataset: root / dataset for dataset in datasets}
        self._readers: dict[DatasetId, LookupReader] = {}
        self._opening = threading.Lock()

    def reader(self, dataset: DatasetId) -> LookupReader:
        """Raises DatasetNotReady when the dataset has no segments yet, KeyError when there is no such dataset."""
        reader = self._readers.get(dataset)
        if reader is None:
            with self._opening:
                reader = self._readers.get(dataset) or LookupReader(dataset, self._folders[dataset])
                self._readers[dataset] = reader
        return reader


def _mapped_array(path: Path) -> Keys:
    try:
        # A plain view on the mapping: searching a numpy.memmap itself costs several times as much.
        array: Keys = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except ValueError:
        # An empty array cannot be mapped.
        array = np.load(path, allow_pickle=False)
    return array
