"""Compressed files: gzip (RFC 1952, by ISA-L) and zstd (RFC 8878), without a time or a name in them."""

from collections.abc import Iterable, Iterator
from typing import Final

import pyarrow as pa
from isal import isal_zlib

from extract.form import Compression
from extract.formats.rows import Text

_AT_ONCE: Final = 1024 * 1024
_GZIP_LEVEL: Final = 1
_GZIP: Final = 31
"""Window bits that mean: gzip's own head and tail, of which the time is zero."""


def compressed(pieces: Iterable[Text], compression: Compression) -> Iterator[Text]:
    """The pieces of the compressed file; what is held back stays below a megabyte or so."""
    # Cut anew, so that where the encoder cut does not show in what is packed.
    if compression is Compression.GZIP:
        return _gzip(_cut(pieces))
    if compression is Compression.ZSTD:
        return _zstd(_cut(pieces))
    return iter(pieces)


def _cut(pieces: Iterable[Text]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= _AT_ONCE:
            yield bytes(held[:_AT_ONCE])
            del held[:_AT_ONCE]
    yield bytes(held)


def _gzip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _zstd(pieces: Iterable[bytes]) -> Iterator[bytes]:
    sink = _Emptied()
    with pa.CompressedOutputStream(pa.PythonFile(sink, "w"), "zstd") as stream:
        for piece in pieces:
            stream.write(piece)
            if packed := sink.take():
                yield packed
    yield sink.take()


class _Emptied:
    """A file of whose content nothing stays when it was taken."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._pieces.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass
