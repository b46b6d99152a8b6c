"""Nested columns of a segment: kept per row as one JSON text, decoded by type when the row is read.

A person's nested columns lie in hundreds of column buffers, and reading one row from them touches as many pages. As one
text per row they lie side by side. (Tried first: columns. A whole person out of a million took 212 microseconds.)
"""

import datetime
from collections.abc import Iterator
from typing import Any, Final, Optional, TypedDict, cast

import msgspec
import polars as pl
import pyarrow as pa

TEXT: Final = "_nested"
"""The column that holds the text. A dataset's own columns never begin with an underscore."""
SLICE_ROWS: Final = 8_192

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


def folded(frame: pl.DataFrame, names: tuple[str, ...]) -> pl.DataFrame:
    """The frame with the columns `names` as one text column TEXT."""
    if not names:
        return frame
    texts = [line for lines in _lines(frame.select(names)) for line in lines]
    return frame.drop(names).with_columns(pl.Series(TEXT, texts, dtype=pl.String))


def decoder_of(schema: pa.Schema) -> Decoder:
    """Decodes the text of a row into its nested columns: dates and times as such, null for what is not there."""
    return msgspec.json.Decoder(_object({name: _python_type(schema.field(name).type) for name in nested_names(schema)}))


def _lines(frame: pl.DataFrame) -> Iterator[list[str]]:
    for piece in frame.iter_slices(SLICE_ROWS):
        # Not splitlines(): a name may hold one of the other characters that Unicode counts as a line's end.
        yield piece.write_ndjson().split("\n")[: piece.height]


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
