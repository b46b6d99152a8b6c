"""What stands behind a null is made blank.

An Arrow buffer has a place for the value of a null too, and nothing says what is in it: bytes that the engine left
there, of this row before it was withheld or of another. Text formats and Parquet never look there. The Arrow stream
copies whole buffers to the receiver, so it writes from arrays made here, in which every such place is zero or absent.
That also makes equal rows equal bytes: of a slice of a larger array, the writer would copy more than the slice.
"""

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ZERO: Final[dict[str, Any]] = {"string": "", "bool": False}


def blanked(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows, with nothing behind their nulls."""
    return pa.RecordBatch.from_arrays([_blanked(column) for column in batch], schema=batch.schema)


def _blanked(values: pa.Array) -> pa.Array:
    kind, length = values.type, len(values)
    if values.null_count == length:
        return pa.nulls(length, kind)
    valid = _bitmap(values.is_valid()) if values.null_count else None
    if pa.types.is_struct(kind):
        # flatten() gives the fields with the struct's own nulls in them.
        fields = [_blanked(field) for field in values.flatten()]
        return pa.Array.from_buffers(kind, length, [valid], children=fields)
    if pa.types.is_list(kind):
        # flatten() leaves out what null lists hold.
        ends = pc.cumulative_sum(pc.fill_null(pc.list_value_length(values), 0)).to_numpy()
        starts = np.concatenate([np.zeros(1, np.int32), ends.astype(np.int32)])
        return pa.Array.from_buffers(kind, length, [valid, pa.py_buffer(starts)], children=[_blanked(values.flatten())])
    known = pc.fill_null(values, pa.scalar(_ZERO.get(str(kind), 0), kind)) if values.null_count else values
    if pa.types.is_boolean(kind):
        return pa.Array.from_buffers(kind, length, [valid, _bitmap(known)])
    return pa.Array.from_buffers(kind, length, [valid, *_data(known)])


def _data(values: pa.Array) -> list[pa.Buffer]:
    """The buffers of texts or numbers without nulls, with these values in them and nothing else."""
    _, first, *rest = values.buffers()
    start, length = values.offset, len(values)
    if not rest:
        width = values.type.bit_width // 8
        return [first.slice(start * width, length * width)]
    places = np.frombuffer(first, np.int32)[start : start + length + 1]
    letters = rest[0] if rest[0] is not None else pa.py_buffer(b"")
    return [pa.py_buffer(places - places[0]), letters.slice(int(places[0]), int(places[-1] - places[0]))]


def _bitmap(flags: pa.Array) -> pa.Buffer:
    """A bit per flag, the last byte filled up with zeros."""
    return pa.py_buffer(np.packbits(flags.to_numpy(zero_copy_only=False), bitorder="little"))
