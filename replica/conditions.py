"""What a search may ask of a row: conditions on columns, and conditions joined."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Op(StrEnum):
    EQ = "eq"
    IN = "in"
    LT = "lt"
    LE = "le"
    GT = "gt"
    GE = "ge"
    PREFIX = "prefix"
    NULL = "null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """column   a column, or a field within one by its dotted path; through a list, any element may meet it
    value    as JSON has it: dates and times as text; of IN a tuple of values; of NULL whether there is nothing
    """

    column: str
    op: Op
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """A text that fits a pattern (RE2).

    folded   small letters, without accents, æ as ae, ø as o, å as a; then some part of the text has to fit, else all
    """

    column: str
    pattern: str
    folded: bool = False


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["Joined", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Joined", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What a condition does not find. Nobody is found out by it: a column that is hidden for a row meets no condition,
    so the row is among these whatever the column holds.
    """

    part: "Joined"


Joined = Condition | Matching | AllOf | AnyOf | Not


def columns_in(joined: Joined) -> Iterator[str]:
    """Every column that is asked about."""
    match joined:
        case AllOf(parts) | AnyOf(parts):
            for part in parts:
                yield from columns_in(part)
        case Not(part):
            yield from columns_in(part)
        case _:
            yield joined.column
