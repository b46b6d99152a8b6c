"""Persons as lines of the register's own record layout: the decoder's tables, read the other way. Pure.

What the typed columns cannot hold (uncertain dates, unknown marks) stands in `as_delivered` and is written as it came,
so that a person who is decoded and written again is the same. A column that may not be seen leaves its records out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from extract.formats.fixed_width import Cells, Places, blank, cells, lines_text

KEY: Final = "pnr"
AS_DELIVERED: Final = "as_delivered"
_PLACED: Final = re.compile(r"(\w+)\[(\d+)\]\.(\w+)")
MOST_COUNTED: Final = 99_999_999
_TIME_DIGITS: Final = 12
"""Of a time that is not known, which the register writes as zeros."""


@dataclass(frozen=True, slots=True)
class FieldForm:
    """start   1-based, as the register counts
    kind    text, code, number, date, timestamp or mark
    column  name in the struct of its record, or in the row
    """

    start: int
    length: int
    kind: str
    column: str


@dataclass(frozen=True, slots=True)
class RecordForm:
    """code     the first three characters of a line
    column   of the row that holds it; empty where its fields are the row's own
    many     whether the column is a list
    """

    code: str
    length: int
    column: str
    many: bool
    fields: tuple[FieldForm, ...]


def lines_of(forms: Sequence[RecordForm], batch: pa.RecordBatch) -> tuple[bytes, int]:
    """The lines of persons, one person after the other, each in the order of the layout; and how many lines there are.

    Lines end in a newline, and trailing blanks are cut.
    """
    told, groups = _told(batch), []
    for form in forms:
        found = _found(form, forms, batch)
        if len(found.rows):
            groups.append((found.rows, _matrix(form, batch.column(KEY), found, told)))
    return lines_text(groups), sum(len(rows) for rows, _ in groups)


def start_line(job: int, produced: date, former: date | None) -> str:
    """former   of the delivery before; zeros where there was none"""
    before = "0" * 8 if former is None else f"{former:%Y%m%d}"
    return f"000{'0' * 10}{job % 1_000_000:06d}{produced:%Y%m%d}{before}"


def end_line(count: int) -> str:
    """count   lines between start and end"""
    return f"999{'9' * 10}{min(count, MOST_COUNTED):08d}"


@dataclass(frozen=True, slots=True)
class _Found:
    """What lines of one form are made of, in order.

    rows     of the batch
    places   in the row's list; 0 where there is none
    values   by column
    """

    rows: Places
    places: Places
    values: Mapping[str, pa.Array]

    def only(self, mask: npt.NDArray[np.bool_]) -> "_Found":
        if mask.all():
            return self
        chosen = pa.array(mask)
        values = {name: column.filter(chosen) for name, column in self.values.items()}
        return _Found(self.rows[mask], self.places[mask], values)

    def filled(self, columns: Iterable[str]) -> npt.NDArray[np.bool_]:
        """Of which lines any of those columns has a value."""
        found = np.zeros(len(self.rows), np.bool_)
        for name in columns:
            column = self.values.get(name)
            if column is not None and column.null_count < len(column):
                found |= column.is_valid().to_numpy(zero_copy_only=False)
        return found


@dataclass(frozen=True, slots=True)
class _Told:
    """Fields of one column that are written as they were delivered. text   of each of them"""

    rows: Places
    places: Places
    text: pa.Array


def _found(form: RecordForm, forms: Sequence[RecordForm], batch: pa.RecordBatch) -> _Found:
    everybody, nowhere = np.arange(batch.num_rows), np.zeros(batch.num_rows, np.int64)
    if not form.column:
        own = {field.column: batch.column(field.column) for field in form.fields if field.column in batch.schema.names}
        found = _Found(everybody, nowhere, own)
        return found if form.code == forms[0].code else found.only(found.filled(own))
    if form.column not in batch.schema.names:
        return _Found(everybody[:0], nowhere[:0], {})
    held = batch.column(form.column)
    rows, places, held = _listed(held) if form.many else (everybody, nowhere, held)
    # Registers are sparse: only what is there is worked on.
    there = held.is_valid()
    held, mask = held.filter(there), there.to_numpy(zero_copy_only=False)
    names = [field.name for field in held.type]
    found = _Found(rows[mask], places[mask], dict(zip(names, held.flatten(), strict=True)))
    return found.only(_fits(form, forms, found))


def _fits(form: RecordForm, forms: Sequence[RecordForm], found: _Found) -> npt.NDArray[np.bool_]:
    """Of records that share a column, the shortest that has a field for everything that is there is written."""
    open_still = np.ones(len(found.rows), np.bool_)
    for each in sorted((each for each in forms if each.column == form.column), key=lambda each: each.length):
        if each is form:
            break
        open_still &= found.filled(found.values.keys() - {field.column for field in each.fields})
    longer = any(each.column == form.column and each.length > form.length for each in forms)
    if not longer:
        return open_still
    return open_still & ~found.filled(found.values.keys() - {field.column for field in form.fields})


def _matrix(form: RecordForm, keys: pa.Array, found: _Found, told: Mapping[tuple[str, str], _Told]) -> Cells:
    lines = blank(len(found.rows), form.length)
    lines[:, 0:3] = np.frombuffer(form.code[:3].encode(), np.uint8)
    lines[:, 3:13] = cells(keys.take(pa.array(found.rows)), 10)
    for field in form.fields:
        place = lines[:, field.start - 1 : field.start - 1 + field.length]
        column = found.values.get(field.column)
        if column is None:
            place[:] = ord("0") if field.kind == "timestamp" else ord(" ")
            place[:, _TIME_DIGITS:] = ord(" ")
            continue
        place[:] = cells(column, field.length)
        if field.kind == "timestamp" and column.null_count:
            place[column.is_null().to_numpy(zero_copy_only=False), :_TIME_DIGITS] = ord("0")
        # What stands as delivered tells of no column but those that are there.
        if (exact := told.get((form.column, field.column))) is not None:
            which, at = _met(found, exact)
            place[at] = cells(exact.text.take(pa.array(which)), field.length)
    return lines


def _met(found: _Found, told: _Told) -> tuple[Places, Places]:
    """Which of the fields that are told stand in a line, and in which one."""
    stride = 1 + max(int(found.places.max()), int(told.places.max()))
    lines, wanted = found.rows * stride + found.places, told.rows * stride + told.places
    at = np.minimum(np.searchsorted(lines, wanted), len(lines) - 1)
    which = np.flatnonzero(lines[at] == wanted)
    return which, at[which]


def _told(batch: pa.RecordBatch) -> dict[tuple[str, str], _Told]:
    """By record column (empty for the row's own) and field column."""
    if AS_DELIVERED not in batch.schema.names:
        return {}
    rows, _, elements = _listed(batch.column(AS_DELIVERED))
    fields, texts = elements.field("field").dictionary_encode(), elements.field("text")
    numbers = fields.indices.to_numpy(zero_copy_only=False)
    known = elements.is_valid().to_numpy(zero_copy_only=False) & texts.is_valid().to_numpy(zero_copy_only=False)
    named: dict[tuple[str, str], list[tuple[int, Places]]] = {}
    for number, name in enumerate(fields.dictionary.to_pylist()):
        placed = _PLACED.fullmatch(name)
        holder, _, column = name.rpartition(".") if placed is None else (placed[1], "", placed[3])
        which = np.flatnonzero((numbers == number) & known)
        named.setdefault((holder, column), []).append((0 if placed is None else int(placed[2]), which))
    told = {}
    for field, found in named.items():
        which = np.concatenate([each for _, each in found])
        places = np.concatenate([np.full(len(each), place, np.int64) for place, each in found])
        if len(which):
            # Of what is told twice, the last counts.
            order = np.argsort(which, kind="stable")
            told[field] = _Told(rows[which[order]], places[order], texts.take(pa.array(which[order])))
    return told


def _listed(column: pa.Array) -> tuple[Places, Places, pa.Array]:
    """The elements of lists: the row and the place of each, and itself."""
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    rows = np.repeat(np.arange(len(column)), lengths)
    places = np.arange(len(rows)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return rows, places, column.flatten()
