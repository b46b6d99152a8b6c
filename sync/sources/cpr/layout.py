"""The record tables of layout A: what stands where in a line, and which column of the person row it becomes.

`layout_a.csv` has one line per field and `records_a.csv` one per record; they follow the CPR office's product
descriptions U12180-P (status extract, 6.8.2) and P12170 (change extract). The decoder and the generator of
test data know no record by name: what they do follows from these two tables.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

KEY = "pnr"
KEY_START, KEY_LENGTH = 4, 10
TYPE_LENGTH = 3


class Kind(StrEnum):
    """What a field means to us; `Field.type` is the register's own word (N, A, D8, D10, T12)."""

    TEXT = "text"
    CODE = "code"  # digits, kept as text with their leading zeros
    NUMBER = "number"  # a personal number; 0000000000 means unknown
    DATE = "date"
    TIMESTAMP = "timestamp"
    MARK = "mark"  # `*` = uncertain


class Shape(StrEnum):
    ONE = "one"
    MANY = "many"
    ENVELOPE = "envelope"  # belongs to the delivery, not to a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """start      1-based, counted with the three characters of the record type
    column     name in the struct of its record (or in the row, for records without a column of their own)
    required   a line that holds only blanks here was cut, or is not what it says
    """

    name: str
    start: int
    length: int
    type: str
    column: str
    kind: Kind
    required: bool

    @property
    def end(self) -> int:
        return self.start + self.length - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """length            declared, in characters; trailing blanks may be cut from a line
    minimum, maximum  occurrences per person; a maximum of None is none
    column            column of the person row; empty when the fields stand in the row itself
    order             field by which the items of a list are sorted (then by the rest of the line)
    fields            all but the personal number at 4+10, in the order of the line
    """

    code: str
    title: str
    length: int
    minimum: int
    maximum: int | None
    column: str
    shape: Shape
    order: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    name: str
    records: Mapping[str, Record]

    @property
    def persons(self) -> tuple[Record, ...]:
        """Records that belong to a person."""
        return tuple(record for record in self.records.values() if record.shape is not Shape.ENVELOPE)

    @property
    def groups(self) -> tuple[tuple[Record, ...], ...]:
        """Records by what they fill: those that share a column stand together, the others alone."""
        found: dict[str, tuple[Record, ...]] = {}
        for record in self.persons:
            target = record.column or record.code
            found[target] = (*found.get(target, ()), record)
        return tuple(found.values())


@cache
def load_layout(name: str) -> Layout:
    """The layout of that name; `a` is shipped. Raises KeyError for another one."""
    if name != "a":
        raise KeyError(name)
    folder = files("sync.sources.cpr")
    fields: dict[str, list[Field]] = {}
    with (folder / f"layout_{name}.csv").open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            fields.setdefault(row["record"], []).append(_field(row))
    with (folder / f"records_{name}.csv").open(encoding="utf-8") as lines:
        records = {row["record"]: _record(row, fields[row["record"]]) for row in csv.DictReader(lines)}
    return Layout(name, records)


def _field(row: Mapping[str, str]) -> Field:
    return Field(
        name=row["field"],
        start=int(row["start"]),
        length=int(row["length"]),
        type=row["type"],
        column=row["column"].rpartition(".")[2],
        kind=Kind(row["kind"] or "text"),
        required=row["required"] == "yes",
    )


def _record(row: Mapping[str, str], fields: list[Field]) -> Record:
    shape = Shape(row["shape"])
    own = [field for field in fields if shape is Shape.ENVELOPE or field.start != KEY_START]
    return Record(
        code=row["record"],
        title=row["title"],
        length=int(row["length"]),
        minimum=int(row["min"]),
        maximum=int(row["max"]) if row["max"] else None,
        column=row["column"],
        shape=shape,
        order=row["order"],
        fields=tuple(own),
    )
