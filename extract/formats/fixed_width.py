"""Fields at fixed places in lines, made column by column: no Python object is made per value.

A field is a matrix of bytes, one row per line. Letters are ISO 8859-1; what that cannot hold becomes `?`, and so does a
control character, which would end a line in the middle.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

ENCODING: Final = "iso-8859-1"
Cells = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

_BLANK: Final = ord(" ")
_END: Final = ord("\n")
_SHOWN: Final = bytes(
    byte if byte >= _BLANK and not 0x7F <= byte < 0xA0 else ord("?") for byte in range(256)
)  # fmt: skip
_MINUTES: Final = (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15)
"""Where the digits of YYYYMMDDHHMM stand in Arrow's text of a timestamp."""
_TIMESTAMP: Final = 26


def cells(values: pa.Array, width: int) -> Cells:
    """The texts of values, from the left, blanks behind; a null is blank. A truth is `*` and an untruth blank, a
    timestamp is YYYYMMDDHHMM, a date as in ISO 8601.
    """
    # Registers are sparse: most of what is nowhere needs no look.
    if values.null_count == len(values):
        return blank(len(values), width)
    if pa.types.is_boolean(values.type):
        found = blank(len(values), width)
        found[:, 0] = np.where(_known(values, False).to_numpy(zero_copy_only=False), ord("*"), _BLANK)
        return found
    if pa.types.is_timestamp(values.type):
        texts = _known(values.cast(pa.string()), " " * _TIMESTAMP)
        return _cut(_bytes(texts, _TIMESTAMP)[:, _MINUTES], width)
    texts = _known(values if pa.types.is_string(values.type) else values.cast(pa.string()), "")
    shortest, longest = pc.min_max(pc.utf8_length(texts)).as_py().values()
    if longest > width:
        texts = pc.utf8_slice_codeunits(texts, 0, width)
    if shortest < width:
        texts = pc.utf8_rpad(texts, width)
    return _bytes(texts, width)


def blank(rows: int, width: int) -> Cells:
    return np.full((rows, width), _BLANK, np.uint8)


def lines_text(groups: Sequence[tuple[Places, Cells]]) -> bytes:
    """Lines of several kinds as one text, by the numbers that they have and then in the order given; trailing blanks
    are cut, and each ends in a newline.
    """
    if not groups:
        return b""
    order = np.argsort(np.concatenate([numbers for numbers, _ in groups]), kind="stable")
    text = pa.concat_arrays([_lines(matrix) for _, matrix in groups]).take(pa.array(order))
    *_, letters = text.buffers()
    # What `take` makes has no offset: its buffer is the lines, one after the other.
    return b"" if letters is None else bytes(letters)


def _lines(matrix: Cells) -> pa.Array:
    rows, width = matrix.shape
    lengths = width - np.argmax(matrix[:, ::-1] != _BLANK, axis=1)
    ended = np.empty((rows, width + 1), np.uint8)
    ended[:, :width] = matrix
    ended[np.arange(rows), lengths] = _END
    letters = ended[np.arange(width + 1) <= lengths[:, None]]
    starts = np.zeros(rows + 1, np.int64)
    np.cumsum(lengths + 1, out=starts[1:])
    return pa.Array.from_buffers(pa.large_binary(), rows, [None, pa.py_buffer(starts), pa.py_buffer(letters)])


def _known(values: pa.Array, absent: bool | str) -> pa.Array:
    return pc.fill_null(values, absent) if values.null_count else values


def _bytes(texts: pa.Array, width: int) -> Cells:
    """Of texts of that many letters each, none of which is null."""
    _, places, letters = texts.buffers()
    bounds = np.frombuffer(places, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    raw = letters.slice(int(bounds[0]), int(bounds[-1] - bounds[0])).to_pybytes()
    if len(raw) != len(texts) * width:
        raw = raw.decode().encode(ENCODING, "replace")
    return np.frombuffer(raw.translate(_SHOWN), np.uint8).reshape(len(texts), width)


def _cut(found: Cells, width: int) -> Cells:
    given = found.shape[1]
    if given >= width:
        return found[:, :width]
    return np.concatenate([found, blank(len(found), width - given)], axis=1)
