"""JSON text of Arrow values, made column by column: no Python object is made per value.

Null is `null`, dates and times are ISO 8601, numbers that JSON lacks (NaN, infinity) are null. Fields stand in the
schema's order.
"""

import functools
import json
from collections.abc import Iterable
from typing import Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

_MUST_ESCAPE: Final = r'["\\\x00-\x1f]'

Piece: TypeAlias = str | pa.Array
"""What stands in every row alike, or each row's own text."""


def json_lines(batch: pa.RecordBatch) -> bytes:
    """The rows of a batch as objects, each on a line that ends in a newline."""
    if not batch.num_rows:
        return b""
    lines = joined([*_struct(batch.to_struct_array()), "\n"], batch.num_rows)
    _, _, text = lines.buffers()
    # What joins of pieces make has no offset: its buffer is the lines, one after the other.
    return bytes(text)


def json_texts(values: pa.Array) -> pa.Array:
    """Each value as JSON text; null stays null."""
    present = values.is_valid() if values.null_count else None
    texts = joined(_pieces(values), len(values))
    return texts if present is None else pc.if_else(present, texts, _constant(None))


def iso_times(values: pa.Array) -> pa.Array:
    """Timestamps as text, as `datetime.isoformat` writes them: a fraction only where there is one."""
    texts = pc.replace_substring(values.cast(pa.string()), " ", "T")
    return pc.if_else(pc.ends_with(texts, ".000000"), pc.utf8_slice_codeunits(texts, 0, 19), texts)


@functools.lru_cache(maxsize=10_000)
def _constant(text: str | None) -> pa.Scalar:
    # Making a scalar costs as much as joining hundreds of values, so each is made once.
    return pa.scalar(text, pa.string())


def joined(pieces: Iterable[Piece], length: int) -> pa.Array:
    """The pieces of each row, side by side."""
    merged: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and merged and isinstance(merged[-1], str):
            merged[-1] += piece
        else:
            merged.append(piece)
    if len(merged) == 1 and isinstance(merged[0], str):
        return pa.repeat(_constant(merged[0]), length)
    arguments = [_constant(piece) if isinstance(piece, str) else piece for piece in merged]
    return pc.call_function("binary_join_element_wise", [*arguments, _constant("")])


def _pieces(values: pa.Array) -> list[Piece]:
    """What must stand side by side to be the JSON text of each value. No piece holds a null."""
    kind, length = values.type, len(values)
    if values.null_count == length:
        return ["null"]
    if pa.types.is_nested(kind):
        nested = _struct if pa.types.is_struct(kind) else _list
        if not values.null_count:
            return nested(values)
        # Registers are sparse: only what is there is worked on.
        there = values.is_valid()
        known = values.filter(there)
        texts = joined(nested(known), len(known))
        return [pc.replace_with_mask(pa.repeat(_constant("null"), length), there, texts)]
    texts, mark = _leaf(values)
    if not values.null_count:
        return [mark, texts, mark] if mark else [texts]
    if mark:
        texts = joined([mark, texts, mark], length)
    return [pc.fill_null(texts, _constant("null"))]


def _struct(values: pa.Array) -> list[Piece]:
    pieces: list[Piece] = ["{"]
    for index, field in enumerate(values.type):
        pieces.append(f"{',' if index else ''}{json.dumps(field.name, ensure_ascii=False)}:")
        pieces += _pieces(values.field(index))
    return [*pieces, "}"]


def _list(values: pa.Array) -> list[Piece]:
    elements = values.flatten()
    ends = pc.cumulative_sum(pc.list_value_length(values))
    starts = pa.concat_arrays([pa.array([0], ends.type), ends])
    lists = pa.ListArray.from_arrays(starts, joined(_pieces(elements), len(elements)))
    return ["[", pc.binary_join(lists, ","), "]"]


def _leaf(values: pa.Array) -> tuple[pa.Array, str]:
    """(texts, what stands around them). Raises TypeError for a type that no column can have."""
    kind = values.type
    if pa.types.is_string(kind):
        return _escaped(values), '"'
    if pa.types.is_date(kind):
        return values.cast(pa.string()), '"'
    if pa.types.is_timestamp(kind):
        return iso_times(values), '"'
    if pa.types.is_boolean(kind):
        return pc.if_else(values, _constant("true"), _constant("false")), ""
    if pa.types.is_integer(kind):
        return values.cast(pa.string()), ""
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(values), values.cast(pa.string()), _constant("null")), ""
    raise TypeError(f"no column has the type {kind}")


def _escaped(texts: pa.Array) -> pa.Array:
    """RFC 8259, 7: quotation mark, reverse solidus and control characters are escaped; the rest stands as it is."""
    if not pc.any(pc.match_substring_regex(texts, _MUST_ESCAPE)).as_py():
        return texts
    # The reverse solidus first: the other escapes bring new ones.
    for character in ("\\", '"', *map(chr, range(0x20))):
        if pc.any(pc.match_substring(texts, character)).as_py():
            texts = pc.replace_substring(texts, character, json.dumps(character)[1:-1])
    return texts
