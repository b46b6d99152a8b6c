"""A body that goes out in pieces: where the next one comes from, and whether it is the last.

Nobody writes to a piece again once it was taken: the layers below may keep one (TLS does while a peer's own handshake
message is half there), and a buffer that others fill meanwhile would send one reader's rows to another.
"""

import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final, Protocol

from api.threads import in_thread
from extract import ExtractBroken

AHEAD_BYTES: Final = 1024 * 1024
"""What the disk is asked for beside the piece that is wanted, so that the next ones need no thread."""

Piece = bytes | bytearray | memoryview


class Pieces(Protocol):
    """ended   whether the piece that was taken last is the end of the body"""

    @property
    def ended(self) -> bool: ...

    async def take(self, most: int) -> Piece:
        """The next piece, of at most `most` bytes; empty only when the body is."""

    async def close(self) -> None: ...


class FileSlices:
    """Bytes of a file from `start` up to `stop`. What the page cache has is read at once; the disk needs a thread.

    The file is open from the beginning, so whoever reads it gets it whole, also when its name goes meanwhile: expiry
    takes names, and the disk has its room back when the last reader is done. A file is never written to again.
    """

    def __init__(self, path: Path, start: int, stop: int) -> None:
        """Raises FileNotFoundError. Waits for the disk."""
        self._file, self._name = path.open("rb", buffering=0), path.name
        self._handle, self._position, self._stop = self._file.fileno(), start, stop

    @property
    def ended(self) -> bool:
        return self._position >= self._stop

    async def take(self, most: int) -> Piece:
        """Raises ExtractBroken when the file is shorter than was promised."""
        wanted = min(most, self._stop - self._position)
        buffer = bytearray(wanted)
        try:
            read = os.preadv(self._handle, [buffer], self._position, os.RWF_NOWAIT)
        except OSError:
            # EAGAIN: not in the page cache. EOPNOTSUPP: a file system that does not know the flag.
            read = 0
        if read == wanted:
            self._position += read
            return buffer
        piece = memoryview(buffer)[:read] if read else await self._from_disk(wanted)
        self._position += len(piece)
        return piece

    async def _from_disk(self, wanted: int) -> bytes:
        handle, position = self._handle, self._position
        piece = await in_thread(lambda: _from_disk(handle, wanted, position))
        if not piece:
            raise ExtractBroken(f"{self._name} is shorter than its manifest says", remedy="ask for it again")
        return piece

    async def close(self) -> None:
        self._file.close()


class Followed:
    """Pieces of an iterator, whose end shows only when there is no next run of it: it is always one run ahead.

    A run is what the iterator gives at once. Each costs a visit to another thread, so for who reads fast it is longer
    than a piece.

    first   a run that was taken before
    """

    def __init__(self, runs: AsyncGenerator[bytes], first: bytes) -> None:
        self._runs, self._run, self._next = runs, memoryview(b""), first
        self._over = False

    @property
    def ended(self) -> bool:
        """Whether the piece that was taken last is the end of the body."""
        return self._over and not self._run

    async def take(self, most: int) -> Piece:
        """The next piece of a run; another run is taken when that is at its end."""
        if not self._run:
            following = await anext(self._runs, None)
            self._over = following is None
            self._run, self._next = memoryview(self._next), following or b""
        piece, self._run = self._run[:most], self._run[most:]
        return piece

    async def close(self) -> None:
        await self._runs.aclose()


def _from_disk(handle: int, size: int, position: int) -> bytes:
    with contextlib.suppress(OSError):
        os.posix_fadvise(handle, position, size + AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
    return os.pread(handle, size, position)
