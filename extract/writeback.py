"""Written bytes go to the disk while more are made, so that the sync at the end has little left to wait for.

Left to itself, the system keeps gigabytes of a file in memory and writes them when it is synced: the readers of a file
that is being made then wait for all of it at its very end.
"""

import contextlib
import ctypes
import functools
from collections.abc import Callable
from typing import Final

_AT_ONCE: Final = 8 * 1024 * 1024
_WRITE: Final = 2
"""SYNC_FILE_RANGE_WRITE of Linux: begin, and wait for nothing."""


class Writeback:
    """handle   of a file that is only appended to, from its beginning

    A hint, no promise: what is on the disk for certain is what was synced. Without sync_file_range(2) nothing happens.
    """

    def __init__(self, handle: int) -> None:
        self._handle, self._begun, self._written = handle, 0, 0

    def wrote(self, size_bytes: int) -> None:
        """So much more was appended."""
        self._written += size_bytes
        if (length := self._written - self._begun) >= _AT_ONCE:
            _sync_file_range()(self._handle, self._begun, length, _WRITE)
            self._begun = self._written


@functools.cache
def _sync_file_range() -> Callable[[int, int, int, int], int]:
    with contextlib.suppress(OSError, AttributeError):
        begin = ctypes.CDLL("libc.so.6").sync_file_range
        begin.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint]
        return begin
    return lambda *_: 0
