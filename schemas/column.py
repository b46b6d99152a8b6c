"""A column: what one value of a dataset may be."""

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

from schemas.derivation import Derivation


class Kind(StrEnum):
    """Logical types, named as the Open Data Contract Standard names them (`logicalType`)."""

    TEXT = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    OBJECT = "object"
    ARRAY = "array"


class Classification(StrEnum):
    """How strictly a value is to be treated, mildest first.

    PROTECTED values are withheld for rows whose protection is active, unless the agreement lets them out.
    """

    PUBLIC = "public"
    PERSONAL = "personal"
    PROTECTED = "protected"


_ARROW = {
    Kind.TEXT: pa.string(),
    Kind.INTEGER: pa.int64(),
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.DATE: pa.date32(),
    # Naive: a register's times are Danish wall-clock times, delivered without a zone.
    Kind.TIMESTAMP: pa.timestamp("us"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a dataset, or one field of an object.

    fields    of an OBJECT: its fields, in order
    item      of an ARRAY: what each element is
    pattern   regular expression that the whole text must match
    minimum, maximum   bounds of a number, inclusive
    allowed   the only texts that may stand there
    examples  of a text, nobody's own
    secondary_key   rows can be found by this column's value in a lookup too
    source    where the value comes from in the source's own words, for instance `001.STATUS`
    derived   how the house works the value out; None for a column that the source delivers
    previous_name   what it was called in the version before
    """

    name: str
    kind: Kind
    title: str = ""
    description: str = ""
    classification: Classification = Classification.PUBLIC
    required: bool = False
    unique: bool = False
    fields: tuple["Column", ...] = ()
    item: "Column | None" = None
    pattern: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: frozenset[str] | None = None
    examples: tuple[str, ...] = ()
    secondary_key: bool = False
    source: str | None = None
    derived: Derivation | None = None
    previous_name: str | None = None

    @property
    def arrow(self) -> pa.DataType:
        if self.kind is Kind.OBJECT:
            return pa.struct([pa.field(field.name, field.arrow) for field in self.fields])
        if self.kind is Kind.ARRAY:
            return pa.list_(self.item.arrow if self.item is not None else pa.string())
        return _ARROW[self.kind]
