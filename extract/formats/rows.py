"""Batches of the size that an encoder works on."""

from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa

Batches = Iterable[pa.RecordBatch]
Text = bytes | memoryview
"""Bytes of a file, not copied out of the memory that they were made in where that can be."""

_ROWS: Final = 4_096
"""Of these, each thread that makes text has as many in memory. A person's JSON is a few KB, so a whole batch of them
would be hundreds of MB."""


def small(batches: Batches) -> Iterator[pa.RecordBatch]:
    """The same rows, few at a time."""
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            yield batch.slice(start, _ROWS)


def exact(batches: Batches, rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows, `rows` at a time but for the last: how they were read must not be seen in a file."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        start = 0
        while batch.num_rows - start >= rows - count:
            held.append(batch.slice(start, rows - count))
            yield _one(held)
            start += rows - count
            held, count = [], 0
        if start < batch.num_rows:
            held.append(batch.slice(start))
            count += batch.num_rows - start
    if held:
        yield _one(held)


def _one(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
