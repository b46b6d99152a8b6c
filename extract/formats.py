"""Encoders: record batches in, bytes out, a piece per batch. The same rows give the same bytes.

CSV (RFC 4180: header, CRLF, UTF-8) holds nested columns as JSON text; NDJSON, Parquet and Arrow hold them as they are. Dates and times are ISO 8601.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from extract.plan import Format

_DATE: Final = "%Y-%m-%d"
_TIME: Final = "%Y-%m-%dT%H:%M:%S"

Batches = Iterable[pa.RecordBatch]


def encode(kind: Format, schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """Pieces of a file, in order; joined, they are the whole file."""
    return _ENCODERS[kind](schema, batches)


def _csv(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    nested = [field.name for field in schema if pa.types.is_nested(field.type)]
    yield (",".join(schema.names) + "\r\n").encode()
    for batch in batches:
        frame = pl.DataFrame(pl.from_arrow(batch))
        frame = frame.with_columns([_json_text(frame, name) for name in nested])
        text = frame.write_csv(include_header=False, line_terminator="\r\n", date_format=_DATE, datetime_format=_TIME)
        yield text.encode()


def _json_text(frame: pl.DataFrame, name: str) -> pl.Series:
    """A nested column as JSON text. The NDJSON writer encodes all rows at once; what is around the value is cut off."""
    lines = pl.Series(name, _lines(frame.select(name)).splitlines(), dtype=pl.String)
    around = len(f'{{"{name}":') + 1
    text = lines.str.slice(around - 1, lines.str.len_chars() - around)
    return pl.select(pl.when(text != "null").then(text).alias(name)).to_series()


def _lines(frame: pl.DataFrame) -> str:
    times = [name for name, kind in frame.schema.items() if kind == pl.Datetime]
    return frame.with_columns(pl.col(times).dt.strftime(_TIME)).write_ndjson()


def _ndjson(_: pa.Schema, batches: Batches) -> Iterator[bytes]:
    for batch in batches:
        yield _lines(pl.DataFrame(pl.from_arrow(batch))).encode()


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
            writer.write_batch(batch)
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
