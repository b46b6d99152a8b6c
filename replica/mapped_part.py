"""One part of a stack as a reader sees it: mapped files, searched and read in place."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

from replica.arrays import Keys, mapped
from replica.folding import frames_of
from replica.nested import JUDGED, TEXT, Decoder, decoder_of, nested_names
from replica.parts import Part, encoded, index_files

MOST_CHOICES: Final = 100
"""Callers choose columns freely; what is kept of their choices may not grow without end."""

FEW: Final = 48
"""Up to so many rows are read one by one: a gather costs hundreds of microseconds however few rows it is for, and is no
faster before there are some fifty of them."""

Row = dict[str, Any]
Columns = tuple[str, ...] | None
Value = str | int | date

DAY_ZERO: Final = date(1970, 1, 1).toordinal()


class MappedPart:
    """`place` says where a key's row is, `row` and `rows` read it."""

    __slots__ = (
        "_batches", "_chosen", "_digits", "_gone", "_indexes", "_keys", "_nested", "_schema", "_starts", "_whole",
    )  # fmt: skip

    def __init__(self, folder: Path, part: Part) -> None:
        place = folder / part.name
        self._digits = part.digits
        self._keys = mapped(place / "keys.npy")
        self._gone = mapped(place / "gone.npy")
        # To take in a list, polars goes through all its offsets: no lookup asks for it.
        self._batches = frames_of(folder, part, without=JUDGED)
        self._starts = [0, *accumulate(batch.height for batch in self._batches)]
        self._indexes = {name: tuple(mapped(place / file) for file in index_files(name)) for name in part.indexed}
        self._schema = pa.ipc.read_schema(pa.py_buffer((place / "schema.arrow").read_bytes()))
        self._nested = frozenset(nested_names(self._schema))
        self._chosen: dict[tuple[str, ...], _Choice] = {}
        self._whole = self._choice(tuple(self._schema.names))

    def place(self, key: str) -> int | None:
        """The number of the key's row, -1 when the key was deleted here, None when it is unknown here."""
        if len(self._keys):
            at = _index_of(self._keys, self._number(key) if self._digits else encoded(key))
            if at is not None:
                return at
        return -1 if len(self._gone) and _index_of(self._gone, encoded(key)) is not None else None

    def places(self, keys: Sequence[str]) -> list[int | None]:
        """`place` of many keys, in one search."""
        if len(keys) < 8 or not len(self._keys):
            return [self.place(key) for key in keys]
        wanted: list[Any] = [self._number(key) if self._digits else encoded(key) for key in keys]
        sound = [number for number, each in enumerate(wanted) if _can_stand_in(self._keys, each)]
        array = np.array([wanted[number] for number in sound], self._keys.dtype)
        places = self._keys.searchsorted(array)
        hits = self._keys[np.minimum(places, len(self._keys) - 1)] == array
        found: list[int | None] = [None] * len(keys)
        for number, at, hit in zip(sound, places.tolist(), hits.tolist(), strict=True):
            if hit:
                found[number] = at
        if len(self._gone):
            for number, at in enumerate(found):
                if at is None and _index_of(self._gone, encoded(keys[number])) is not None:
                    found[number] = -1
        return found

    def key(self, at: int) -> str:
        found = self._keys[at]
        return f"{int(found):0{self._digits}d}" if self._digits else bytes(found).decode()

    def matching(self, column: str, value: Value) -> Iterator[int]:
        """Numbers of the rows that may hold this value, in the order of their keys: texts are cut. Raises KeyError."""
        values, rows = self._indexes[column]
        if not len(values):
            return
        wanted: int | bytes
        if values.dtype.kind == "S":
            wanted = encoded(str(value))[: values.dtype.itemsize]
        else:
            wanted = value.toordinal() - DAY_ZERO if isinstance(value, date) else int(value)
        start, end = (int(values.searchsorted(wanted, side)) for side in ("left", "right"))
        yield from rows[start:end].tolist()

    def row(self, at: int, columns: Columns) -> Row:
        choice = self._whole if columns is None else self._select(columns)
        batch = bisect_right(self._starts, at) - 1
        offset = at - self._starts[batch]
        # A frame without columns has no rows either. It knows its names too, and takes longer to say them than a row.
        row = dict(zip(choice.names, choice.flat[batch].row(offset), strict=True)) if choice.flat else {}
        if choice.decoder is not None:
            choice.add_nested(row, choice.texts[batch][offset])
        return row

    def rows(self, places: Sequence[int], columns: Columns) -> list[Row]:
        """`row` of many, each batch read once."""
        if len(places) <= FEW:
            return [self.row(at, columns) for at in places]
        choice = self._whole if columns is None else self._select(columns)
        by_batch: dict[int, list[int]] = {}
        for number, at in enumerate(places):
            by_batch.setdefault(bisect_right(self._starts, at) - 1, []).append(number)
        found: list[Row] = [{} for _ in places]
        for batch, numbers in by_batch.items():
            offsets = [places[number] - self._starts[batch] for number in numbers]
            if choice.flat:
                for number, row in zip(numbers, choice.flat[batch][offsets].rows(named=True), strict=True):
                    found[number] = row
            if choice.decoder is not None:
                for number, text in zip(numbers, choice.texts[batch].gather(offsets), strict=True):
                    choice.add_nested(found[number], text)
        return found

    def _number(self, key: str) -> int | None:
        return int(key) if len(key) == self._digits and key.isascii() and key.isdigit() else None

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
            names=tuple(flat),
            flat=[frame.select(flat) for frame in self._batches] if flat else [],
            texts=[frame[TEXT] for frame in self._batches] if nested else [],
            nested=nested,
            # What was not asked for is skipped, and no value is made of it.
            decoder=decoder_of(self._schema, nested) if nested else None,
        )


@dataclass(frozen=True, slots=True)
class _Choice:
    """Some columns of a part, batch by batch.

    names     of the flat ones
    texts     where nested columns are among them, which are `nested`
    """

    names: tuple[str, ...]
    flat: list[pl.DataFrame]
    texts: list[pl.Series]
    nested: tuple[str, ...]
    decoder: Decoder | None

    def add_nested(self, row: Row, text: str) -> None:
        if self.decoder is not None:
            nested = self.decoder.decode(text)
            for name in self.nested:
                row[name] = nested[name]


def _index_of(array: Keys, wanted: int | bytes | None) -> int | None:
    if wanted is None or not _can_stand_in(array, wanted):
        return None
    at = int(array.searchsorted(wanted))
    return at if at < len(array) and array[at] == wanted else None


def _can_stand_in(array: Keys, wanted: int | bytes | None) -> bool:
    """numpy pads bytes with NUL and compares without it, and a longer key would be cut to fit."""
    if isinstance(wanted, bytes):
        return 0 < len(wanted) <= array.dtype.itemsize and not wanted.endswith(b"\0")
    return wanted is not None
