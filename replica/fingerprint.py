"""A row's fingerprint: 128 bits by which the mirror sees whether a row is as it was, without reading the row.

MD5 over a text of the row that is the same for ever: no hash of the engine's own, which another version may compute
otherwise. Fields stand in the order of their names and null fields are left out, on every level, so neither another
order of the columns nor a column or a field that is null everywhere changes a fingerprint. Two different rows of one
key share one by accident with a probability of 2^-128; it is no defence against somebody who writes both.
"""

from collections.abc import Iterable

import pyarrow as pa

from replica.quoting import quoted

LOW, HIGH = "_hash_low", "_hash_high"
"""The columns of the mirror that hold the two halves."""

# JSON escapes control characters within texts, so these can stand nowhere else.
FIELD, ROW, NOTHING = "\x1e", "\x1d", "\x1c"


def fingerprinted(schema: pa.Schema, relation: str) -> str:
    """SQL: the columns of `relation`, and LOW and HIGH."""
    return (
        f"SELECT * EXCLUDE (_hash), (_hash & 18446744073709551615)::UBIGINT AS {LOW}, (_hash >> 64)::UBIGINT AS {HIGH} "
        f"FROM (SELECT *, md5_number({_fields(schema, '')}) AS _hash FROM {relation})"
    )


def _fields(fields: Iterable[pa.Field], prefix: str) -> str:
    """The text of these fields: `concat` leaves out what is null."""
    ordered = sorted(fields, key=lambda field: str(field.name))
    return "concat(" + ", ".join(_field(field, f"{prefix}{quoted(field.name)}") for field in ordered) + ")"


def _field(field: pa.Field, value: str) -> str:
    return f"'{FIELD}{field.name}=' || {_value(field.type, value, 0)}"


def _value(kind: pa.DataType, value: str, depth: int) -> str:
    """The text of a value; null for null."""
    if pa.types.is_struct(kind):
        return f"CASE WHEN {value} IS NOT NULL THEN {_fields(kind, f'{value}.')} || '{ROW}' END"
    if pa.types.is_list(kind):
        element = f"each_{depth}"
        text = f"coalesce({_value(kind.value_type, element, depth + 1)} || '{FIELD}', '{NOTHING}')"
        return f"array_to_string(list_transform({value}, lambda {element}: {text}), '') || '{ROW}'"
    return f"to_json({value})" if pa.types.is_string(kind) else f"{value}::VARCHAR"
