"""A stream of bytes as numbered lines."""

from collections.abc import Iterator
from typing import BinaryIO

import polars as pl

from sync.sources.decoded import Tell

BLOCK_BYTES = 16 * 1024 * 1024
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
    text = pl.Series("text", [block.decode(encoding)], dtype=pl.String).str.split("\n").explode()
    if b"\r" in block:
        text = text.str.strip_suffix("\r")
    return text.to_frame().with_row_index("line", offset=first).select(pl.col("line").cast(pl.UInt32), "text")


def _filled(lines: pl.DataFrame) -> pl.DataFrame:
    return lines.filter(pl.col("text").str.strip_chars_start(" ") != "")
