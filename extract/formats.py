"""Encoders: record batches in, bytes out. The same rows in the same batches give the same bytes.

CSV (RFC 4180: header, CRLF, UTF-8, texts in quotation marks, null is an empty field without them) holds nested
columns as JSON text; NDJSON, Parquet and Arrow hold them as they are. Dates and times are ISO 8601.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from extract.blank import blanked
from extract.json_text import iso_times, json_lines, json_texts
from extract.plan import Format

SLICE_BYTES: Final = 256 * 1024
"""Larger pieces slow TLS down, and each reader that stalls holds one of them in memory."""
_ROWS: Final = 8_192
"""At once in memory as text. A person's JSON is a few KB, so a whole batch of them would be hundreds of MB."""

Batches = Iterable[pa.RecordBatch]


def encode(kind: Format, schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """Pieces of a file, in order, of at most SLICE_BYTES; joined, they are the whole file."""
    for text in _ENCODERS[kind](schema, batches):
        for start in range(0, len(text), SLICE_BYTES):
            yield text[start : start + SLICE_BYTES]


def _csv(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    header = io.StringIO(newline="")
    csv.writer(header).writerow(schema.names)
    yield header.getvalue().encode()
    options = pyarrow.csv.WriteOptions(include_header=False, eol="\r\n", batch_size=_ROWS)
    for batch in _small(batches):
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(pa.record_batch([_flat(column) for column in batch], names=schema.names), sink, options)
        yield sink.getvalue().to_pybytes()


def _flat(column: pa.Array) -> pa.Array:
    """A column that pyarrow's writer can write: nested values and times as text."""
    if pa.types.is_nested(column.type):
        return json_texts(column)
    return iso_times(column) if pa.types.is_timestamp(column.type) else column


def _ndjson(_: pa.Schema, batches: Batches) -> Iterator[bytes]:
    return map(json_lines, _small(batches))


def _small(batches: Batches) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for start in range(0, batch.num_rows, _ROWS):
            yield batch.slice(start, _ROWS)


def _parquet(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


def _arrow(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    sink = _Sink()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in batches:
            writer.write_batch(blanked(batch))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file that is written to on one side and emptied on the other."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: bytes) -> int:  # type: ignore[override]
        piece = bytes(data)
        self._pieces.append(piece)
        self._position += len(piece)
        return len(piece)

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)


_ENCODERS: dict[Format, Callable[[pa.Schema, Batches], Iterator[bytes]]] = {
    Format.CSV: _csv,
    Format.NDJSON: _ndjson,
    Format.PARQUET: _parquet,
    Format.ARROW: _arrow,
}
