"""CSV as RFC 4180 has it, and as Danish spreadsheets open it.

Header, CRLF, UTF-8, texts in quotation marks, null is an empty field without them; nested columns are JSON text, dates
and times ISO 8601. The Danish form has semicolons between fields and a comma in decimal numbers.
"""

import csv
import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from extract.ahead import in_order
from extract.formats.json_text import iso_times, json_texts
from extract.formats.rows import Batches, Text, small

# As many rows at once as come: the writer would cut them to a smaller size of its own.
_OPTIONS = pyarrow.csv.WriteOptions(include_header=False, eol="\r\n", batch_size=8_192)
_END = pa.scalar("\r\n")
_NOTHING = pa.scalar("")


def csv_lines(schema: pa.Schema, batches: Batches) -> Iterator[Text]:
    yield _header(schema, ",")
    yield from in_order(_lines, small(batches))


def danish_lines(schema: pa.Schema, batches: Batches) -> Iterator[Text]:
    yield _header(schema, ";")
    yield from in_order(_danish_lines, small(batches))


def _lines(batch: pa.RecordBatch) -> Text:
    flat = pa.record_batch([_flat(column) for column in batch], names=batch.schema.names)
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(flat, sink, _OPTIONS)
    return memoryview(sink.getvalue())


def _danish_lines(batch: pa.RecordBatch) -> Text:
    cells = [_danish_cell(column) for column in batch]
    # A null is an empty field: join would make the whole line null of it.
    lines = pc.binary_join_element_wise(*cells, ";", null_handling="replace", null_replacement="")
    _, _, text = pc.binary_join_element_wise(lines, _END, _NOTHING).buffers()
    return memoryview(text)


def _header(schema: pa.Schema, delimiter: str) -> bytes:
    header = io.StringIO(newline="")
    csv.writer(header, delimiter=delimiter).writerow(schema.names)
    return header.getvalue().encode()


def _flat(column: pa.Array) -> pa.Array:
    """A column that pyarrow's writer can write: nested values and times as text."""
    if pa.types.is_nested(column.type):
        return json_texts(column)
    return iso_times(column) if pa.types.is_timestamp(column.type) else column


def _danish_cell(column: pa.Array) -> pa.Array:
    flat = _flat(column)
    if pa.types.is_timestamp(column.type) or not pa.types.is_string(flat.type):
        text = flat.cast(pa.string())
        return pc.replace_substring(text, ".", ",") if pa.types.is_floating(column.type) else text
    if pc.any(pc.match_substring(flat, '"')).as_py():
        flat = pc.replace_substring(flat, '"', '""')
    mark = pa.scalar('"')
    return pc.binary_join_element_wise(mark, flat, mark, _NOTHING)
