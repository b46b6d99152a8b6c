"""Columns as arrays that binary search works on: whole numbers as 64-bit integers, texts as bytes of one width."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import pyarrow as pa

Keys = np.ndarray[Any, np.dtype[Any]]

WIDEST_NUMBER: Final = 18
"""Texts of up to 18 digits fit a signed 64-bit integer."""
SLICE: Final = 65_536


def searchable(values: pl.Series, width: int | None = None) -> Keys:
    """Values without nulls as an array that sorts as they do. Dates count days; texts are cut at `width` bytes."""
    if values.dtype != pl.String:
        return values.to_physical().cast(pl.Int64).to_numpy().astype(np.int64)
    texts = values.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_string())
    if not len(texts):
        return np.array([], "S1")
    _, places, letters = texts.buffers()
    offsets = np.frombuffer(places, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    data = np.frombuffer(letters, np.uint8) if letters is not None else np.array([], np.uint8)
    lengths = np.diff(offsets)
    longest = max(1, int(lengths.max()))
    wide = longest if width is None else min(longest, width)
    if (lengths == wide).all():
        matrix = data[offsets[0] : offsets[-1]].reshape(len(texts), wide).copy()
    else:
        column = np.arange(wide)
        held = column < lengths[:, None]
        matrix = np.zeros((len(texts), wide), np.uint8)
        matrix[held] = data[(offsets[:-1, None] + column)[held]]
    found: Keys = matrix.view(f"S{wide}").reshape(len(texts))
    return found


def numbered(texts: Keys) -> tuple[Keys, int]:
    """Texts as integers, and their width, when every one is that many digits; else as they are, and 0.

    So '851' and '0851' stay two keys.
    """
    width = texts.dtype.itemsize
    if not len(texts) or width > WIDEST_NUMBER:
        return texts, 0
    numbers = np.empty(len(texts), np.int64)
    powers = 10 ** np.arange(width - 1, -1, -1, dtype=np.int64)
    for start in range(0, len(texts), SLICE):
        piece = texts[start : start + SLICE]
        letters = np.ascontiguousarray(piece).view(np.uint8).reshape(len(piece), width)
        if not ((letters >= ord("0")) & (letters <= ord("9"))).all():
            return texts, 0
        numbers[start : start + SLICE] = (letters - ord("0")).astype(np.int64) @ powers
    return numbers, width


def save(path: Path, array: Keys) -> None:
    np.save(path, array, allow_pickle=False)


def mapped(path: Path) -> Keys:
    try:
        # A plain view on the mapping: searching a numpy.memmap itself costs several times as much.
        array: Keys = np.load(path, mmap_mode="r", allow_pickle=False).view(np.ndarray)
    except ValueError:
        # An empty array cannot be mapped.
        array = np.load(path, allow_pickle=False)
    return array
