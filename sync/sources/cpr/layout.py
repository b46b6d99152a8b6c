"""The record tables of the registers that CPR delivers: what stands where in a line, and which column it becomes.

`layout_<name>.csv` has one line per field and `records_<name>.csv` one per record. The decoder and the generator of
test data know no record by name: what they do follows from these tables.

a             persons: status extract U12180-P (6.8.2) and change extract P12170
b             persons: the long bitemporal layout
roads         the road register, P05780
authorities   the authority register, P02680
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from importlib.resources import files

KEY = "pnr"
KEY_START = 4
TYPE_LENGTH = 3
START, END, ERROR = "000", "999", "910"


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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """code              what a line of it begins with; when it fills two columns, a mark after the three characters
                      tells the two apart
    length            declared, in characters; trailing blanks may be cut from a line
    minimum, maximum  occurrences per person; a maximum of None is none
    column            column of the person row; empty when the fields stand in the row itself
    order             field by which the items of a list are sorted (then by the rest of the line)
    latest            field that tells which of several is right: the one registered last. Empty: none may be repeated
    fields            those that become columns, in the order of the line; all of them in an envelope
    """

    code: str
    title: str
    length: int
    minimum: int
    maximum: int | None
    column: str
    shape: Shape
    order: str
    latest: str
    fields: tuple[Field, ...]

    @property
    def type(self) -> str:
        return self.code[:TYPE_LENGTH]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """subject     what a row is about
    key         column that holds its number, which stands in each line from KEY_START on
    row         the layout that lists all columns of the row; another one may fill fewer
    repeats     whether a delivery may tell the same thing twice
    """

    name: str
    subject: str
    key: str
    key_length: int
    row: str
    repeats: bool = False
    records: Mapping[str, Record]

    @property
    def subjects(self) -> tuple[Record, ...]:
        """Records that belong to a person, road or authority."""
        return tuple(record for record in self.records.values() if record.shape is not Shape.ENVELOPE)

    @property
    def types(self) -> tuple[str, ...]:
        """What the lines of these begin with."""
        return tuple(dict.fromkeys(record.type for record in self.subjects))

    @property
    def groups(self) -> tuple[tuple[Record, ...], ...]:
        """Records by what they fill: those that share a column stand together, the others alone."""
        found: dict[str, tuple[Record, ...]] = {}
        for record in self.subjects:
            target = record.column or record.code
            found[target] = (*found.get(target, ()), record)
        return tuple(found.values())

    def with_lengths(self, lengths: Mapping[str, int]) -> "Layout":
        """The same records, some of them as long as another version of the description has them."""
        records = {
            code: replace(record, length=lengths.get(record.type, record.length))
            for code, record in self.records.items()
        }
        return replace(self, records=records)


@cache
def load_layout(name: str) -> Layout:
    """A shipped layout: `a`, `b`, `roads` or `authorities`. Raises KeyError for another one."""
    head = _HEADS[name]
    fields: dict[str, list[Field]] = {}
    for row in _table(f"layout_{name}.csv"):
        fields.setdefault(row["record"], []).append(_field(row))
    records = {row["record"]: _record(row, fields[row["record"]], head.key) for row in _table(f"records_{name}.csv")}
    return replace(head, records=records)


_PERSON = Layout(name="a", subject="person", key=KEY, key_length=10, row="a", records={})
_HEADS: Mapping[str, Layout] = {
    "a": _PERSON,
    "b": replace(_PERSON, name="b", repeats=True),
    "roads": Layout(name="roads", subject="road", key="road", key_length=8, row="roads", records={}),
    "authorities": Layout(
        name="authorities", subject="authority", key="authority_code", key_length=4, row="authorities", records={}
    ),
}


def _table(name: str) -> Iterable[Mapping[str, str]]:
    return csv.DictReader((files("sync.sources.cpr") / name).read_text(encoding="utf-8").splitlines())


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


def _record(row: Mapping[str, str], fields: Iterable[Field], key: str) -> Record:
    shape = Shape(row["shape"])
    # The key is the row's, so a record does not hold it once more; but a former number is a field of its own.
    own = tuple(
        field
        for field in fields
        if shape is Shape.ENVELOPE or (field.column and (field.column != key or field.start != KEY_START))
    )
    return Record(
        code=row["record"],
        title=row["title"],
        length=int(row["length"]),
        minimum=int(row["min"]),
        maximum=int(row["max"]) if row["max"] else None,
        column=row["column"],
        shape=shape,
        order=row["order"],
        latest=row.get("latest") or "",
        fields=own,
    )
