"""Where the event loop and the rooms meet: blocking work runs in threads, from here and from nowhere else."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

SLICE_BYTES: Final = 128 * 1024
"""TLS is fastest on pieces of 64 to 256 KiB, and a reader that stalls holds about one of them."""

# Each follows one download that waits for its file to be written; more than that, and downloads wait for each other.
_threads = ThreadPoolExecutor(max_workers=64, thread_name_prefix="api")


async def in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, work)


async def pulled(pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Pieces of an iterator that blocks, taken one at a time in a thread; holds at most one."""
    try:
        while (piece := await in_thread(lambda: next(pieces, None))) is not None:
            yield piece
    finally:
        # A thread may still wait in it when the server stops; then it ends with that thread.
        if isinstance(pieces, Generator):
            with contextlib.suppress(ValueError):
                pieces.close()


async def file_slices(
    path: Path, start: int, stop: int, slice_bytes: Callable[[], int] = lambda: SLICE_BYTES
) -> AsyncGenerator[bytes]:
    """Bytes of a file from `start` up to `stop`, in slices of at most what `slice_bytes` says at the moment. What the
    page cache has is read at once; the disk needs a thread.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        position = start
        while position < stop:
            wanted = min(slice_bytes(), stop - position)
            piece = _cached(handle, wanted, position)
            if piece is None:
                piece = await in_thread(lambda wanted=wanted, position=position: os.pread(handle, wanted, position))  # type: ignore[misc]
            if not piece:
                raise EOFError(f"{path.name} is shorter than its manifest says")
            position += len(piece)
            yield piece
    finally:
        os.close(handle)


def _cached(handle: int, size: int, position: int) -> bytes | None:
    """What can be read without waiting for the disk; None when that is nothing, or cannot be told here."""
    buffer = bytearray(size)
    try:
        read = os.preadv(handle, [buffer], position, os.RWF_NOWAIT)
    except OSError:
        # EAGAIN: not in the page cache. EOPNOTSUPP: a file system that does not know the flag.
        return None
    return bytes(memoryview(buffer)[:read]) or None
