"""Deliveries without line separators: records stand one after the other, each as long as the layout declares."""

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

import polars as pl

from sync.errors import DeliveryUnreadable
from sync.sources.cpr.layout import Layout
from sync.sources.decoded import Tell
from sync.sources.lines import BLOCK_BYTES, LINES

BLANK = " "


def cut_blocks(stream: BinaryIO, encoding: str, layout: Layout, tell: Tell) -> Iterator[pl.DataFrame]:
    """LINES of an unseparated stream, some megabytes at a time; a line's number is the record's place.

    Trailing blanks are cut, as in a delivery with separators. Raises DeliveryUnreadable when a record does not begin
    with a type that the layout has: then it is another layout, or another version with other lengths.
    """
    lengths = {record.type: record.length for record in layout.records.values()}
    record = re.compile(
        "|".join(f"{re.escape(code)}.{{{length - len(code)}}}" for code, length in lengths.items()), re.DOTALL
    )
    decoder = codecs.getincrementaldecoder(encoding)()
    number, rest = 1, ""
    while block := stream.read(BLOCK_BYTES):
        tell("bytes", len(block))
        text = rest + decoder.decode(block)
        found = record.findall(text)
        whole = sum(map(len, found))
        # findall passes over what is no record: then what it found is not what the text begins with.
        if "".join(found) != text[:whole] or len(text) - whole >= max(lengths.values()):
            raise _lost(number + _sound(found, text))
        lines = pl.Series("text", found, pl.String).str.strip_chars_end(BLANK)
        yield _numbered(lines, number)
        number, rest = number + len(found), text[whole:]
    if rest.strip():
        yield _last(rest.rstrip(), lengths, number)


def _sound(found: list[str], text: str) -> int:
    """How many records stand one after the other at the beginning of the text."""
    position = 0
    for place, each in enumerate(found):
        if not text.startswith(each, position):
            return place
        position += len(each)
    return len(found)


def _last(rest: str, lengths: dict[str, int], number: int) -> pl.DataFrame:
    """The end of the file: a record whose trailing blanks were cut."""
    if rest[:3] not in lengths or len(rest) > lengths[rest[:3]]:
        raise _lost(number)
    return _numbered(pl.Series("text", [rest]), number)


def _numbered(lines: pl.Series, first: int) -> pl.DataFrame:
    return lines.to_frame().with_row_index("line", offset=first).select(LINES.names())


def _lost(number: int) -> DeliveryUnreadable:
    return DeliveryUnreadable(
        f"record {number:,} begins with a type that the layout does not have",
        remedy="check the layout and its version (`person_length`) in the source",
    )
