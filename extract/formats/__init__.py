"""Encoders: record batches in, bytes out. The same rows give the same bytes, however the batches are cut."""

from collections.abc import Callable, Generator, Iterator
from typing import Final

import pyarrow as pa

from extract.ahead import in_order
from extract.form import Compression, Format
from extract.formats.columnar import arrow, parquet
from extract.formats.compressing import compressed
from extract.formats.csv_text import csv_lines, danish_lines
from extract.formats.json_text import json_lines
from extract.formats.record_lines import Records, record_lines
from extract.formats.rows import Batches, Text, small
from extract.formats.xml_text import xml_document

SLICE_BYTES: Final = 256 * 1024
"""Larger pieces slow TLS down, and each reader that stalls holds one of them in memory."""


def encode(
    kind: Format,
    schema: pa.Schema,
    batches: Batches,
    compression: Compression = Compression.NONE,
    name: str = "rows",
    records: Records | None = None,
) -> Generator[Text, None, None]:
    """Pieces of a file, in order, of at most SLICE_BYTES; joined, they are the whole file.

    name      of the dataset, for a format that says what it holds
    records   for the format cpr, which cannot be written without
    """
    plain: Iterator[Text]
    if kind is Format.CPR:
        if records is None:
            raise ValueError("lines of records need their layout")
        plain = record_lines(batches, records)
    else:
        plain = _ENCODERS[kind](schema, batches, name)
    for text in compressed(plain, compression):
        view = memoryview(text)
        for start in range(0, len(view), SLICE_BYTES):
            yield view[start : start + SLICE_BYTES]


def _ndjson(_: pa.Schema, batches: Batches, __: str) -> Iterator[Text]:
    return in_order(json_lines, small(batches))


def _danish(schema: pa.Schema, batches: Batches, _: str) -> Iterator[Text]:
    return danish_lines(schema, batches)


def _danish_bom(schema: pa.Schema, batches: Batches, _: str) -> Iterator[Text]:
    yield b"\xef\xbb\xbf"
    yield from danish_lines(schema, batches)


_ENCODERS: dict[Format, Callable[[pa.Schema, Batches, str], Iterator[Text]]] = {
    Format.CSV: lambda schema, batches, _: csv_lines(schema, batches),
    Format.CSV_DK: _danish,
    Format.CSV_DK_BOM: _danish_bom,
    Format.NDJSON: _ndjson,
    Format.PARQUET: lambda schema, batches, _: parquet(schema, batches),
    Format.ARROW: lambda schema, batches, _: arrow(schema, batches),
    Format.XML: xml_document,
}
