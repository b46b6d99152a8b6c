"""Rows on disk: written batch by batch as they are decoded, then mapped in the order of their keys.

A delivery of a whole register does not fit in memory. What is mapped is read from the page cache and given back when
memory is short; beside it stand only the keys' order, eight bytes a row.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import compute

TAKEN_AT_ONCE: Final = 65_536

Numbers = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(slots=True)
class RowFile:
    """Rows as they come. Used with `with`: leaving ends the file.

    schema   of the rows; the column `key` of it is text
    """

    folder: Path
    schema: pa.Schema
    key: str
    _keys: list[pa.Array] = field(default_factory=list)
    _writer: Any = None

    def __enter__(self) -> Self:
        self._writer = pa.ipc.new_file(str(self.folder / "rows.arrow"), self.schema)
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)
        self._keys.append(batch.column(self.schema.get_field_index(self.key)))

    def ordered(self) -> "OrderedRows":
        """Once it is ended: the rows sorted by key, without those whose key is missing or stands on several rows."""
        keys = pl.Series("key", pl.from_arrow(pa.chunked_array(self._keys, pa.string())))
        self._keys.clear()
        known = keys.is_not_null()
        shared = keys.is_duplicated() & known
        given = _mapped(self.folder / "rows.arrow")
        sound = known & ~shared
        numbers = sound.arg_true().to_numpy().astype(np.int64)
        values = keys.filter(sound)
        if not values.is_sorted():
            numbers = numbers[values.arg_sort().to_numpy()]
        in_place = len(numbers) == len(keys) and bool((np.diff(numbers) > 0).all())
        rows = given if in_place else self._rewritten(given, numbers)
        return OrderedRows(
            given=given, rows=rows, key=self.key, numbers=numbers,
            missing=(~known).arg_true().to_numpy(), shared=shared.arg_true().to_numpy(),
        )  # fmt: skip

    def _rewritten(self, given: pa.Table, numbers: Numbers) -> pa.Table:
        return spilled(self.folder / "ordered.arrow", self.schema, _taken(given, numbers))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedRows:
    """given     rows as they came
    rows      those with a key of their own, sorted by it
    numbers   of `rows`: their place in `given`, 0-based
    missing, shared   places in `given` of rows without a key, and of those that share one
    """

    given: pa.Table
    rows: pa.Table
    key: str
    numbers: Numbers
    missing: Numbers
    shared: Numbers

    def places(self, keys: pl.Series) -> Numbers:
        """Where in `given` the rows with these keys stand."""
        at = compute.index_in(self.rows[self.key], value_set=pa.array(keys.to_list(), pa.string()))
        found: Numbers = self.numbers[compute.is_valid(at).to_numpy()]
        return found


def spilled(path: Path, schema: pa.Schema, pieces: Iterable[pa.Table]) -> pa.Table:
    """The pieces as one table, mapped from a new file."""
    with pa.ipc.new_file(str(path), schema) as writer:
        for piece in pieces:
            writer.write_table(piece)
    return _mapped(path)


def _taken(table: pa.Table, numbers: Numbers) -> Iterator[pa.Table]:
    for start in range(0, len(numbers), TAKEN_AT_ONCE):
        yield table.take(pa.array(numbers[start : start + TAKEN_AT_ONCE]))


def _mapped(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()
