"""Room on a disk: how much of it stays free, what is refused when it does not, and what a full disk is called.

The operating system, SQLite and PostgreSQL each say "full" in their own way; here it is one word for all rooms.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kernel.errors import TryAgainLater

MB: Final = 1_000_000
"""As settings and limits count megabytes, bytes."""
RETRY_S: Final = 60
_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_SQLITE_FULL: Final = frozenset({13, 4874})
"""SQLITE_FULL, and SQLITE_IOERR_SHMSIZE when the first connection has no room for its index of the log
(https://www.sqlite.org/rescode.html)."""
_POSTGRESQL_FULL: Final = "53100"
"""https://www.postgresql.org/docs/current/errcodes-appendix.html"""


class DiskFull(TryAgainLater):
    code = "disk_full"
    title = "There is no room on the disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """What a file system says of itself to those who are not root, bytes."""

    size_bytes: int
    free_bytes: int

    @classmethod
    def of(cls, folder: Path) -> "Volume":
        found = os.statvfs(folder)
        return cls(size_bytes=found.f_blocks * found.f_frsize, free_bytes=found.f_bavail * found.f_frsize)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What stays free on a file system for what must be written whatever comes: the larger of the two.

    free_bytes   so many
    share        of the file system's size, 0 to 1
    """

    free_bytes: int = 0
    share: float = 0.0

    def of(self, volume: Volume) -> int:
        """In bytes."""
        return max(self.free_bytes, int(volume.size_bytes * self.share))

    def room(self, folder: Path) -> int:
        """How much may be written to the folder's file system before it comes to the floor, bytes; 0 below it."""
        volume = Volume.of(folder)
        return max(0, volume.free_bytes - self.of(volume))

    def ensure(self, folder: Path) -> None:
        """Raises DiskFull when less is free: what is begun now would be cut in the middle."""
        if self.room(folder) <= 0:
            raise no_room()


NO_FLOOR: Final = Floor()


def no_room() -> DiskFull:
    return DiskFull(
        "the platform's disk has no room for it",
        remedy="ask again later; the operator is told, and must make room",
        retry_after_s=RETRY_S,
    )


def says_full(error: BaseException | None) -> bool:
    """Whether an error, or what it comes from, says that the disk is full."""
    while error is not None:
        if isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in _ERRNOS):
            return True
        if getattr(error, "sqlite_errorcode", None) in _SQLITE_FULL:
            return True
        if getattr(error, "sqlstate", None) == _POSTGRESQL_FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


@contextmanager
def full_disk_told() -> Iterator[None]:
    """What fails in the block because the disk is full is raised as DiskFull; all else as it is."""
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        if not says_full(error):
            raise
        raise no_room() from error
