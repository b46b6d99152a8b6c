"""Reading in one thread while another writes: the engine looks for the next rows while the last become text."""

import contextlib
import ctypes
import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

import pyarrow as pa

_AHEAD: Final = 4
"""Batches that wait at most; of whole persons, one has some tens of MB."""
_LOOK_EVERY_S: Final = 0.05


def give_back() -> None:
    """Let the system have the memory that a production took: the process may serve slow readers for hours."""
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@contextmanager
def read_ahead(batches: Iterable[pa.RecordBatch]) -> Iterator[Iterator[pa.RecordBatch]]:
    """The batches, read by a thread of their own; what reading raises is raised where they are taken.

    The thread has ended when the block has: nobody reads a lake that is being closed.
    """
    waiting: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(_AHEAD)
    over = threading.Event()

    def put(what: pa.RecordBatch | BaseException | None) -> bool:
        while not over.is_set():
            try:
                waiting.put(what, timeout=_LOOK_EVERY_S)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for batch in batches:
                if not put(batch):
                    return
        except BaseException as error:
            put(error)
        else:
            put(None)

    def taken() -> Iterator[pa.RecordBatch]:
        while (found := waiting.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found

    reader = threading.Thread(target=read, name="extract-reader", daemon=True)
    reader.start()
    try:
        yield taken()
    finally:
        over.set()
        reader.join()
