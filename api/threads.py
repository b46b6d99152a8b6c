"""Where the event loop and the rooms meet: blocking work runs in threads, from here and from nowhere else."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_threads = ThreadPoolExecutor(max_workers=64, thread_name_prefix="api")
# Each follows one download that waits for its file to be written; more than that, and downloads wait for each other.
# Nobody else waits for them.
_followers = ThreadPoolExecutor(max_workers=64, thread_name_prefix="api-follower")
# Each waits until a whole file is there, for an answer that says where.
_waiters = ThreadPoolExecutor(max_workers=32, thread_name_prefix="api-waiter")


async def in_thread(work: Callable[[], T]) -> T:
    return await _on(_threads, work)


async def in_waiting_thread(work: Callable[[], T]) -> T:
    """For work that may wait for minutes: lookups do not wait for it."""
    return await _on(_waiters, work)


async def pulled(pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Pieces of an iterator that blocks, taken one at a time in a thread; holds at most one."""
    try:
        while (piece := await _on(_followers, lambda: next(pieces, None))) is not None:
            yield piece
    finally:
        # A thread may still wait in it when the server stops; then it ends with that thread.
        if isinstance(pieces, Generator):
            with contextlib.suppress(ValueError):
                pieces.close()


async def _on(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work)
