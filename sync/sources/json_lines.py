"""Lines of JSON as typed columns, by the rules of `json_values`.

Lines are read many at a time, by columns. Only where something among them does not fit is each read by itself, to
tell which line it is and why.
"""

import io
import json
from collections.abc import Sequence
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.json as pj
from pyarrow import compute

from kernel import COPENHAGEN
from schemas import Column
from sync.sources.decoded import FAULTS
from sync.sources.json_values import Misfit, fitted_fields

# The columnar reader takes these for something else, or crashes on them; sound JSON holds them within texts at most.
DOUBTFUL: Final = r"^[^{]|[^}]$|\}\s*(null|\{)|[:\[,]\s*-?(NaN|Inf)"
LOCAL: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?$"
ZONED: Final = LOCAL.removesuffix("$") + r"(Z|[+-][0-9]{2}:[0-9]{2})$"
NOT_ONE_OBJECT: Final = Misfit("malformed", "not one JSON object")


class JsonLines:
    """Reads lines that each hold an object whose fields are columns; a field that is not there is null."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.schema = pa.schema([pa.field(column.name, column.arrow) for column in columns])
        told = pa.schema([pa.field(each.name, _told(each.type)) for each in self.schema])
        self._parsing = pj.ParseOptions(explicit_schema=told, unexpected_field_behavior="error")

    def read(self, lines: pl.DataFrame) -> tuple[pa.Table, pl.DataFrame, pl.DataFrame]:
        """The rows, the lines that they came from, and FAULTS of the other lines.

        lines   line and text; none of the texts is blank
        """
        rows = self._at_once(lines)
        if rows is not None:
            return rows, lines, FAULTS.to_frame()
        read = [self._alone(text) for text in lines["text"]]
        rows = pa.Table.from_pylist([row for row in read if not isinstance(row, Misfit)], self.schema)
        sound = pl.Series([not isinstance(row, Misfit) for row in read], dtype=pl.Boolean)
        faults = [
            (line, fault.rule, fault.reason)
            for line, fault in zip(lines["line"], read, strict=True)
            if isinstance(fault, Misfit)
        ]
        return rows, lines.filter(sound), pl.DataFrame(faults, schema=FAULTS, orient="row")

    def _at_once(self, lines: pl.DataFrame) -> pa.Table | None:
        """None when not every line is sound."""
        if lines.is_empty():
            return self.schema.empty_table()
        trimmed = lines["text"].str.strip_chars()
        if trimmed.str.contains(DOUBTFUL).any():
            return None
        data = trimmed.str.join("\n").item().encode()
        reading = pj.ReadOptions(block_size=len(data) + 1)
        try:
            rows = pj.read_json(io.BytesIO(data), reading, self._parsing)
            columns = [_typed(_whole(rows[each.name]), each.type) for each in self.schema]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        return pa.table(columns, schema=self.schema) if rows.num_rows == lines.height else None

    def _alone(self, text: str) -> dict[str, Any] | Misfit:
        try:
            told = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
            return fitted_fields(self.columns, told) if isinstance(told, dict) else NOT_ONE_OBJECT
        except Misfit as misfit:
            return misfit
        except (ValueError, RecursionError):
            return NOT_ONE_OBJECT


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object in which no name stands twice: which of its values is right is not known."""
    told = dict(pairs)
    if len(told) != len(pairs):
        raise ValueError
    # Half a character can be written in JSON, and nowhere else.
    for value in told.values():
        if isinstance(value, str):
            value.encode()
    return told


def _no_number(_: str) -> Any:
    raise ValueError


def _told(kind: pa.DataType) -> pa.DataType:
    """How a value of this type stands in JSON: dates and times are texts."""
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return pa.string()
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(each.name, _told(each.type)) for each in kind])
    if pa.types.is_list(kind):
        return pa.list_(_told(kind.value_type))
    return kind


def _typed(given: pa.Array, kind: pa.DataType) -> pa.Array:
    """Raises ArrowInvalid for a text that is no date or time."""
    if given.type == kind:
        return given
    if pa.types.is_struct(kind):
        # Flattened, not by field: what stands within a null is null too.
        parts = [_typed(part, each.type) for part, each in zip(given.flatten(), kind, strict=True)]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=given.is_null())
    if pa.types.is_list(kind):
        values = _typed(given.values, kind.value_type)
        return pa.ListArray.from_arrays(given.offsets, values, type=kind, mask=given.is_null())
    return _time(given) if pa.types.is_timestamp(kind) else given.cast(kind)


def _time(given: pa.Array) -> pa.Array:
    if _all_match(given, LOCAL):
        return given.cast(pa.timestamp("us"))
    if not _all_match(given, ZONED):
        raise pa.ArrowInvalid
    moments = given.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", str(COPENHAGEN)))
    return compute.local_timestamp(moments)


def _all_match(given: pa.Array, pattern: str) -> bool:
    return bool(compute.all(compute.match_substring_regex(given, pattern), min_count=0).as_py())


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
