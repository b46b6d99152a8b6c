"""Lookups: a row by its key, from memory-mapped segments.

A key is found by binary search in an array of keys; its row is read from a mapped Arrow batch. DuckDB is not
involved. Readers look at the pointer at most every CHECK_S seconds and change over to a new stack between two
lookups; the old one lives until its last user lets go.
"""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from kernel import DatasetId
from replica.delivery import SnapshotInfo
from replica.errors import DatasetNotReady
from replica.mapped_part import Columns, MappedPart, Row, Value
from replica.parts import POINTER, Pointer, encoded

CHECK_S: Final = 0.05


class _Stack:
    """An immutable stack of parts, newest first.

    before   the stack in whose place it comes: parts never change, so those of both are mapped once
    """

    __slots__ = ("info", "named", "parts")

    def __init__(self, folder: Path, pointer: Pointer, before: "_Stack | None" = None) -> None:
        self.info = pointer.info
        known = before.named if before is not None else {}
        self.named: dict[str, MappedPart] = {
            part.name: known.get(part.name) or MappedPart(folder, part) for part in pointer.parts
        }
        self.parts = tuple(self.named.values())

    def get(self, key: str, columns: Columns) -> Row | None:
        for part in self.parts:
            at = part.place(key)
            if at is not None:
                return part.row(at, columns) if at >= 0 else None
        return None

    def get_many(self, keys: Sequence[str], columns: Columns) -> dict[str, Row]:
        if len(keys) == 1:
            # Most lookups are for one key, and putting many in order has a price.
            row = self.get(keys[0], columns)
            return {} if row is None else {keys[0]: row}
        found: dict[str, Row] = {}
        left = list(dict.fromkeys(keys))
        for part in self.parts:
            places = part.places(left)
            here = [(key, at) for key, at in zip(left, places, strict=True) if at is not None and at >= 0]
            rows = part.rows([at for _, at in here], columns)
            found.update(zip((key for key, _ in here), rows, strict=True))
            left = [key for key, at in zip(left, places, strict=True) if at is None]
            if not left:
                break
        return {key: found[key] for key in keys if key in found}

    def find(self, column: str, value: Value, limit: int) -> list[str]:
        """Keys of rows with this value, in order. The newest part that knows a key tells what its row holds."""
        found: list[str] = []
        for number, part in enumerate(self.parts):
            here: list[str] = []
            for at in part.matching(column, value):
                if len(here) == limit:
                    break
                key = part.key(at)
                if part.row(at, (column,))[column] == value and not self._known(key, number):
                    here.append(key)
            found += here
        return sorted(found, key=encoded)[:limit]

    def _known(self, key: str, newest: int) -> bool:
        return any(part.place(key) is not None for part in self.parts[:newest])


class LookupReader:
    """Rows of one dataset by key. Safe to use from several threads."""

    def __init__(self, dataset: DatasetId, folder: Path) -> None:
        self._dataset, self._folder = dataset, folder
        self._pointer = folder / POINTER
        self._mark = self._seen()
        self._stack = self._open(None)
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
        return stack.get_many(keys, columns), stack.info

    def find(
        self, column: str, value: Value, limit: int, columns: Columns = None
    ) -> tuple[dict[str, Row], SnapshotInfo]:
        """The first `limit` rows, by key, whose secondary key `column` has this value, and the snapshot.

        Raises KeyError for a column without a secondary key.
        """
        stack = self._current()
        return stack.get_many(stack.find(column, value, limit), columns), stack.info

    def _current(self) -> _Stack:
        now = time.monotonic()
        if now - self._checked > CHECK_S:
            self._checked = now
            mark = self._seen()
            if mark is not None and mark != self._mark and self._swapping.acquire(blocking=False):
                try:
                    self._stack, self._mark = self._open(self._stack), mark
                finally:
                    self._swapping.release()
        return self._stack

    def _seen(self) -> tuple[int, int] | None:
        try:
            found = self._pointer.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    def _open(self, before: _Stack | None) -> _Stack:
        # A part may be removed between reading the pointer and opening it: then the pointer is already a newer one.
        for _ in range(20):
            pointer = Pointer.read(self._folder)
            if pointer is None:
                break
            try:
                return _Stack(self._folder, pointer, before)
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
