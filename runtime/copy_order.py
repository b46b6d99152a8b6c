"""The rows of a copy in the order of their keys, range by range; sorted on disk where the copy is not."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

import pyarrow as pa
import pyarrow.compute as pc

from runtime.copy_file import CopyUnreadable
from runtime.copy_forms import Batches

RUN_BYTES: Final = 128 * 1024 * 1024
"""Of rows that are sorted at once, in memory."""
MERGED_BYTES: Final = 512 * 1024
"""Of each run in memory while runs are merged."""


class NotSorted(Exception):
    """A key stands before one that came earlier."""


class Ranges:
    """Rows that come in the order of their keys, taken range by range."""

    def __init__(self, batches: Batches, key: str) -> None:
        self._batches, self._key = iter(batches), key
        self._batch: pa.RecordBatch | None = None
        self._keys: list[str] = []
        self._at, self._read, self._last = 0, 0, ""

    def before(self, high: str | None, most: int) -> list[pa.RecordBatch]:
        """Those that come next and whose keys are before `high`; None for all that are left. Of more than `most` rows,
        some are left out, but not so many that it does not show. Raises NotSorted, CopyUnreadable.
        """
        found: list[pa.RecordBatch] = []
        count = 0
        while (batch := self._batch or self._next()) is not None:
            stop = len(self._keys) if high is None else bisect_left(self._keys, high, self._at)
            if stop > self._at and count <= most:
                count += stop - self._at
                found.append(batch.slice(self._at, stop - self._at))
            self._at = stop
            if stop < len(self._keys):
                return found
            self._batch = None
        return found

    def _next(self) -> pa.RecordBatch | None:
        self._batch = batch = next((each for each in self._batches if each.num_rows), None)
        if batch is None:
            return None
        self._at, keys = 0, batch.column(self._key)
        if keys.null_count:
            number = self._read + pc.index(keys.is_null(), True).as_py() + 1
            raise CopyUnreadable(
                f"row {number} of the copy has no {self._key}",
                remedy="fetch the extract anew when the copy is damaged beyond reading",
            )
        self._read += batch.num_rows
        self._keys = keys.to_pylist()
        if self._keys[0] < self._last or not _ascending(keys):
            raise NotSorted
        self._last = self._keys[-1]
        return batch


def in_order(batches: Batches, key: str, folder: Path) -> Iterator[pa.RecordBatch]:
    """The same rows by their keys. What does not fit in memory waits in files without names in the folder."""
    runs: list[Iterator[pa.RecordBatch]] = []
    held: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size >= RUN_BYTES:
            runs.append(_spilled(_sorted(held, key), folder))
            held, size = [], 0
    if held:
        runs.append(iter(_cut(_sorted(held, key))))
    yield from _merged(runs, key)


def _ascending(keys: pa.Array) -> bool:
    return len(keys) < 2 or bool(pc.all(pc.less_equal(keys[:-1], keys[1:])).as_py())


def _sorted(batches: list[pa.RecordBatch], key: str) -> pa.RecordBatch:
    batch = pa.concat_batches(batches)
    return batch.take(pc.sort_indices(batch.column(key)))


def _cut(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    rows = max(1, MERGED_BYTES * batch.num_rows // max(1, batch.nbytes))
    return [batch.slice(start, rows) for start in range(0, batch.num_rows, rows)]


def _spilled(batch: pa.RecordBatch, folder: Path) -> Iterator[pa.RecordBatch]:
    file: IO[bytes] = TemporaryFile(dir=folder)  # noqa: SIM115 closed by whoever reads it
    with pa.ipc.new_stream(file, batch.schema) as writer:
        for each in _cut(batch):
            writer.write_batch(each)
    file.seek(0)

    def read() -> Iterator[pa.RecordBatch]:
        with file, pa.ipc.open_stream(file) as reader:
            yield from reader

    return read()


def _merged(runs: list[Iterator[pa.RecordBatch]], key: str) -> Iterator[pa.RecordBatch]:
    """Of sorted runs: all rows up to the smallest key that some run has read to, again and again."""
    heads = [(head, run) for run in runs if (head := next(run, None)) is not None]
    while heads:
        limit = min(head.column(key)[-1].as_py() for head, _ in heads)
        ready: list[pa.RecordBatch] = []
        left: list[tuple[pa.RecordBatch, Iterator[pa.RecordBatch]]] = []
        for head, run in heads:
            stop = bisect_right(head.column(key).to_pylist(), limit)
            ready.append(head.slice(0, stop))
            rest = head.slice(stop) if stop < head.num_rows else next(run, None)
            if rest is not None:
                left.append((rest, run))
        heads = left
        yield _sorted(ready, key)
