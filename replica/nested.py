"""Nested columns of a segment: kept per row as one JSON text, decoded by type when the row is read.

A person's nested columns lie in hundreds of column buffers, and reading one row from them touches as many pages. As one
text per row they lie side by side. (Tried first: columns. A whole person out of a million took 212 microseconds.)
"""

import datetime
from collections.abc import Iterable
from typing import Any, Final, Optional, TypedDict, cast

import msgspec
import pyarrow as pa

from replica.quoting import quoted
from schemas import Dataset

TEXT: Final = "_nested"
"""The column that holds the text. A dataset's own columns never begin with an underscore."""
JUDGED: Final = "_protections"
"""The column that holds, as it is, the list by which a row's protection is judged: whoever reads many rows has no time
to read their texts."""

_PLAIN: Final[dict[pa.DataType, Any]] = {
    pa.string(): str,
    pa.int64(): int,
    pa.float64(): float,
    pa.bool_(): bool,
    pa.date32(): datetime.date,
    pa.timestamp("us"): datetime.datetime,
}

Decoder = msgspec.json.Decoder[dict[str, Any]]


def nested_names(schema: pa.Schema) -> tuple[str, ...]:
    """Columns of objects and lists, in the schema's order."""
    return tuple(field.name for field in schema if pa.types.is_nested(field.type))


def judged_by(dataset: Dataset) -> str | None:
    """The list that segments keep as JUDGED; None when nothing is withheld by one."""
    rule = dataset.protection
    if rule is None or not dataset.protected_columns or rule.list_column not in dataset.names:
        return None
    return rule.list_column


def packed(dataset: Dataset) -> str:
    """SQL: the flat columns, the nested ones as one JSON text TEXT, and JUDGED where protection is judged by a list."""
    schema = dataset.arrow
    nested, judged = nested_names(schema), judged_by(dataset)
    chosen = [quoted(name) for name in schema.names if name not in nested]
    if judged is not None:
        chosen.append(f"{quoted(judged)} AS {JUDGED}")
    if nested:
        pieces = ", ".join(f"{quoted(name)} := {_finite(schema.field(name).type, quoted(name), 0)}" for name in nested)
        chosen.append(f"to_json(struct_pack({pieces}))::VARCHAR AS {TEXT}")
    return ", ".join(chosen)


def decoder_of(schema: pa.Schema, names: Iterable[str]) -> Decoder:
    """Decodes some nested columns from the text of a row: dates and times as such, null for what is not there."""
    return msgspec.json.Decoder(_object({name: _python_type(schema.field(name).type) for name in names}))


def _finite(kind: pa.DataType, value: str, depth: int) -> str:
    """SQL: the value, without numbers that JSON cannot hold."""
    if not _has_floats(kind):
        return value
    if pa.types.is_list(kind):
        element = f"each_{depth}"
        return f"list_transform({value}, lambda {element}: {_finite(kind.value_type, element, depth + 1)})"
    if pa.types.is_struct(kind):
        fields = (f"{quoted(f.name)} := {_finite(f.type, f'{value}.{quoted(f.name)}', depth)}" for f in kind)
        return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({', '.join(fields)}) END"
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def _has_floats(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _has_floats(kind.value_type)
    if pa.types.is_struct(kind):
        return any(_has_floats(field.type) for field in kind)
    return bool(pa.types.is_floating(kind))


def _python_type(kind: pa.DataType) -> Any:
    """What msgspec is to make of a value of this type; null is always possible."""
    if pa.types.is_struct(kind):
        return Optional[_object({field.name: _python_type(field.type) for field in kind})]  # noqa: UP045
    if pa.types.is_list(kind):
        return Optional[list[_python_type(kind.value_type)]]  # type: ignore[misc] # noqa: UP045
    return Optional[_PLAIN[kind]]  # noqa: UP045


def _object(fields: dict[str, Any]) -> Any:
    # The types are made from a dataset's columns as they are found, so there is nothing to check them against here.
    return cast(Any, TypedDict)("Object", fields)
