"""A stream of bytes as numbered lines."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa

from sync.sources.decoded import Tell

BLOCK_BYTES = 16 * 1024 * 1024
LINE_FEED = 0x0A
LINES = pl.Schema({"line": pl.UInt32, "text": pl.String})


def read_lines(stream: BinaryIO, encoding: str, tell: Tell) -> pl.DataFrame:
    """LINES of the whole stream, as `line_blocks` gives them."""
    blocks = list(line_blocks(stream, encoding, tell))
    return pl.concat(blocks, rechunk=False) if blocks else LINES.to_frame()


def line_blocks(stream: BinaryIO, encoding: str, tell: Tell) -> Iterator[pl.DataFrame]:
    """LINES of the stream, some megabytes at a time.

    Lines are without LF or CRLF; lines of blanks are left out but keep their number. Only LF ends a line, whatever
    other control characters a damaged file holds. Raises UnicodeDecodeError.
    """
    number, rest = 1, b""
    while block := stream.read(BLOCK_BYTES):
        tell("bytes", len(block))
        whole, newline, tail = block.rpartition(b"\n")
        if not newline:
            rest += tail
            continue
        lines = _lines(rest + whole, encoding, number)
        yield _filled(lines)
        number, rest = number + lines.height, tail
    if rest:
        yield _filled(_lines(rest, encoding, number))


def _lines(block: bytes, encoding: str, first: int) -> pl.DataFrame:
    if not encoding.startswith("utf"):
        block = block.decode(encoding).encode()
    letters = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(letters == LINE_FEED) + 1
    # Arrow's strings stand in one buffer, each from where the one before it ends: so each still has its line feed.
    offsets = np.concatenate([[0], ends, [len(block)]]).astype(np.int64)
    texts = pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(block))
    if encoding.startswith("utf"):
        block.decode(encoding)
    text = pl.Series("text", pl.from_arrow(texts)).str.strip_suffix("\n")
    if b"\r" in block:
        text = text.str.strip_suffix("\r")
    return text.to_frame().with_row_index("line", offset=first).select(pl.col("line").cast(pl.UInt32), "text")


def _filled(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.filter(pl.col("text").str.strip_chars_start(" ") != "")
