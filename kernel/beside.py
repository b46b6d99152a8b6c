"""A thread beside: what is done while something else is in use, and no longer."""

import threading
from collections.abc import Callable
from typing import Self


class Beside:
    """Use with `with`; or `start` and `stop` it where another object begins and ends.

    work   runs in the thread, and returns soon after the event that it is given is set
    """

    def __init__(self, name: str, work: Callable[[threading.Event], None]) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=work, args=(self._stopping,), name=name, daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self, wake: Callable[[], object] = lambda: None) -> None:
        """Returns when the work has.

        wake   called when the event is set, for work that waits for something else too
        """
        self._stopping.set()
        wake()
        self._thread.join()
