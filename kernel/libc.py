"""Functions of the GNU C library that Python does not offer. Elsewhere they are not there, and do nothing."""

import contextlib
import ctypes
import functools
from collections.abc import Callable


@functools.cache
def of_libc(name: str, *arguments: type) -> Callable[..., int]:
    """The function of that name, which takes numbers of these C types; one that does nothing where there is none."""
    with contextlib.suppress(OSError, AttributeError):
        found = getattr(ctypes.CDLL("libc.so.6"), name)
        found.argtypes = arguments
        given: Callable[..., int] = found
        return given
    return lambda *_: 0
