"""Libraries that others load where they happen to be installed, though nothing here uses them.

pyarrow loads pandas to ask whether a value is one of its, and a client of S3 with its Parquet reader (the platform has
its own); paramiko loads invoke for a file of settings that is not read here. Together they are some 40 MB and a quarter
of a second of each process.
"""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Final

UNWANTED: Final = frozenset({"invoke", "pandas", "pyarrow._s3fs"})


class _Absent(importlib.abc.MetaPathFinder):
    """Says of the unwanted that they are not installed, as they are not where the platform stands alone."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is left out of this process", name=fullname)
        return None


def leave_out() -> None:
    """From here on the process does without them. For the start of a process alone."""
    sys.meta_path.insert(0, _Absent(UNWANTED))


@contextmanager
def without(name: str) -> Iterator[None]:
    """What is imported within must do without a library that is wanted elsewhere."""
    absent = _Absent(frozenset({name}))
    sys.meta_path.insert(0, absent)
    try:
        yield
    finally:
        sys.meta_path.remove(absent)
