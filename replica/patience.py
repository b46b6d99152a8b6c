"""A statement of the engine that has an end, however long it would take."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from kernel import Beside
from replica.errors import SearchTooSlow


@contextmanager
def within_time(timeout_s: float, cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Stop what the cursor does when its time is over. Raises SearchTooSlow."""
    over = threading.Event()
    began = time.monotonic()

    def watch(done: threading.Event) -> None:
        if done.wait(timeout_s):
            return
        over.set()
        # An interrupt that comes between two statements is lost, so it is said again.
        while not done.wait(0.02):
            cursor.interrupt()

    with Beside("search-timeout", watch):
        try:
            yield
        except duckdb.InterruptException:
            over.set()
    # On a busy machine the watch may get its turn too late: what took too long is told by the clock.
    if over.is_set() or time.monotonic() - began >= timeout_s:
        raise SearchTooSlow(
            f"the search took longer than {timeout_s:g} s",
            remedy="narrow it: more conditions, or one that fewer rows meet",
            rule="replica.search_timeout_s",
        )
