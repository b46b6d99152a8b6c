"""How the C library keeps memory in a process that lives for months."""

from ctypes import c_int
from typing import Final

from kernel.libc import of_libc

# malloc.h
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3

LARGE_BYTES: Final = 256 * 1024
"""What is as large is asked of the system by itself, and given back as soon as it is freed. The event loop keeps a
buffer of just this size for each TLS connection and uses a page or two of it: the rest costs nothing when it comes
fresh from the system, and all of it when it was somebody else's before. The pieces of a download are smaller."""
SPARE_BYTES: Final = 1024 * 1024
"""What may stay free at the end of the heap: less, and a download would give back and ask for it with each piece."""


def steady_heap() -> None:
    """Hold these limits where they are: by itself, the C library moves both up to 32 MB with what is freed.

    Elsewhere than with the GNU C library, nothing changes.
    """
    mallopt = of_libc("mallopt", c_int, c_int)
    mallopt(_MMAP_THRESHOLD, LARGE_BYTES)
    mallopt(_TRIM_THRESHOLD, SPARE_BYTES)
