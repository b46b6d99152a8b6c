"""Written bytes go to the disk while more are made, so that the sync at the end has little left to wait for.

Left to itself, the system keeps gigabytes of a file in memory and writes them when it is synced: the readers of a file
that is being made then wait for all of it at its very end.
"""

from ctypes import c_int, c_int64, c_uint
from typing import Final

from kernel.libc import of_libc

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
            begin = of_libc("sync_file_range", c_int, c_int64, c_int64, c_uint)
            begin(self._handle, self._begun, length, _WRITE)
            self._begun = self._written
