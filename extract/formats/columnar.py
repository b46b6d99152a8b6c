"""Parquet and the Arrow stream: nested columns as they are, in groups of a fixed number of rows."""

import io
from collections.abc import Iterator
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from extract.formats.blank import blanked
from extract.formats.rows import Batches, exact

GROUP_ROWS: Final = 65_536


def parquet(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in exact(batches, GROUP_ROWS):
            writer.write_batch(batch)
            yield sink.take()
    yield sink.take()


def arrow(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    sink = _Sink()
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in exact(batches, GROUP_ROWS):
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
