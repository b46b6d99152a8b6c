"""What of a process lies in memory, as /proc/self/status counts it."""

import threading
from typing import Self

SAMPLE_S = 0.1


def resident_mb() -> tuple[float, float]:
    """(anonymous, mapped from files): the second is page cache, shared with every process that maps the same files."""
    with open("/proc/self/status", encoding="ascii") as status:  # noqa: PTH123
        sizes = dict(line.split(":", 1) for line in status)
    return int(sizes["RssAnon"].split()[0]) / 1024, int(sizes["RssFile"].split()[0]) / 1024


class PeakMemory:
    """Within its `with`, the most anonymous memory that was seen: `mb`."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.mb = max(self.mb, resident_mb()[0])
