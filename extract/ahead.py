"""Several threads for one file: the next rows are read, and others become text, while the last are written."""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from ctypes import c_size_t
from typing import Final, TypeVar

import pyarrow as pa

from kernel.libc import of_libc

_AHEAD: Final = 2
"""Batches that wait at most; of whole persons, one has some tens of MB."""
_LOOK_EVERY_S: Final = 0.05
_MOST_MAKERS: Final = 4
"""Threads that make text for one file, where there are as many cores; each has a batch and its text in memory."""

Item = TypeVar("Item")
Made = TypeVar("Made")


def give_back() -> None:
    """Let the system have the memory that a production took: the process may serve slow readers for hours."""
    pa.default_memory_pool().release_unused()
    of_libc("malloc_trim", c_size_t)(0)


@contextmanager
def read_ahead(items: Iterable[Item], most: int = _AHEAD) -> Iterator[Iterator[Item]]:
    """The items, taken by a thread of its own, which keeps `most` waiting; what taking one raises is raised where it
    was to come.

    The thread has ended when the block has: nobody reads a lake that is being closed.
    """
    waiting: queue.Queue[tuple[Item] | BaseException | None] = queue.Queue(most)
    over = threading.Event()

    def put(what: tuple[Item] | BaseException | None) -> bool:
        while not over.is_set():
            try:
                waiting.put(what, timeout=_LOOK_EVERY_S)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
        except BaseException as error:
            put(error)
        else:
            put(None)

    def taken() -> Iterator[Item]:
        while (found := waiting.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            yield found[0]

    reader = threading.Thread(target=read, name="extract-reader", daemon=True)
    reader.start()
    try:
        yield taken()
    finally:
        over.set()
        reader.join()


def in_order(work: Callable[[Item], Made], items: Iterable[Item]) -> Iterator[Made]:
    """What `work` makes of each item, in their order, several being made at once.

    For work that lets go of the interpreter, as Arrow's does. What an item or its work raises is raised in its turn.
    The items are taken by a thread of its own, so what is made leaves before the next item is there. The threads have
    ended when it has.
    """
    waiting: queue.SimpleQueue[tuple[Item, Future[Made]] | None] = queue.SimpleQueue()

    def begin(item: Item) -> Future[Made]:
        future: Future[Made] = Future()
        waiting.put((item, future))
        return future

    def make() -> None:
        while (task := waiting.get()) is not None:
            item, future = task
            if not over.is_set():
                try:
                    future.set_result(work(item))
                except BaseException as error:
                    future.set_exception(error)
            # Not until the next one comes: what waits is what memory is counted by.
            del task, item, future
        # Each thread has memory of its own, which nobody else can give back.
        pa.default_memory_pool().release_unused()

    over = threading.Event()
    count = min(_MOST_MAKERS, len(os.sched_getaffinity(0)))
    makers = [threading.Thread(target=make, name="extract-maker", daemon=True) for _ in range(count)]
    for each in makers:
        each.start()
    try:
        with read_ahead(map(begin, items), max(1, count - 1)) as begun:
            for future in begun:
                yield future.result()
    finally:
        over.set()
        for _ in makers:
            waiting.put(None)
        for each in makers:
            each.join()
