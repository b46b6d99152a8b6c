"""Where the files of one plan lie, and the two locks that tell who makes them.

The lock file says who makes the plan's file, so that there is one. The maker also locks the file itself while it
grows, so that a reader knows of the very file in its hand whether somebody still writes it: the operating system
frees both locks when the maker dies, however it dies.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extract.delivery.manifest import MANIFEST

if TYPE_CHECKING:
    from extract.plan import ExtractPlan

LOCK: Final = ".lock"
"""Of a whole folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """Files in one folder, named by the plan's id: the extract, its manifest (written last), the part that grows, the
    lock.
    """

    folder: Path
    plan: "ExtractPlan"

    @property
    def file(self) -> Path:
        return self.folder / f"{self.plan.id}.{self.plan.ending}"

    @property
    def manifest(self) -> Path:
        return self.folder / f"{self.plan.id}{MANIFEST}"

    @property
    def described(self) -> Path:
        """The manifest before it has its name."""
        return self.folder / f".{self.plan.id}.manifest"

    @property
    def part(self) -> Path:
        return self.folder / f".{self.plan.id}.part"

    @property
    def draft(self) -> Path:
        return self.folder / f".{self.plan.id}.new"

    @property
    def lock(self) -> Path:
        return self.folder / f".{self.plan.id}.lock"

    @property
    def progress(self) -> Path:
        """How many rows the maker has written, for those who only look."""
        return self.folder / f".{self.plan.id}.progress"

    @property
    def told(self) -> Path:
        """The progress before it has its name."""
        return self.folder / f".{self.plan.id}.told"

    @property
    def unwanted(self) -> Path:
        """There when nobody waits for the file any more."""
        return self.folder / f".{self.plan.id}.unwanted"

    @property
    def followers(self) -> Path:
        """Locked by those who read the file while another process makes it."""
        return self.folder / f".{self.plan.id}.followers"

    @property
    def ready(self) -> bool:
        return self.manifest.exists() and self.file.exists()

    def clear(self) -> None:
        """Take away what a crash left: a part, or a file without a manifest, or a manifest whose file somebody removed.

        For whoever holds the lock. A reader of one of them sees by its lost name that it has no future.
        """
        for leftover in (
            self.draft, self.part, self.described, self.manifest, self.file, self.progress, self.told,
            self.unwanted,
        ):  # fmt: skip
            leftover.unlink(missing_ok=True)

    def new_part(self) -> int:
        """A part to write to, locked before it has the name under which readers find it."""
        handle = os.open(self.draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.draft.rename(self.part)
        except BaseException:
            os.close(handle)
            raise
        return handle

    def take(self) -> int | None:
        """The plan's lock, None when somebody holds it."""
        # Tried again, since somebody who only looks (`held`) has it for a moment too, or may tidy it away.
        for _ in range(3):
            handle = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # A lock whose file has lost its name keeps nobody out.
                if os.path.samestat(self.lock.stat(), os.fstat(handle)):
                    return handle
            os.close(handle)
            time.sleep(0.002)
        return None

    def follow(self) -> int:
        """A lock that says that somebody in this process reads the file while another process makes it."""
        handle = os.open(self.followers, os.O_RDWR | os.O_CREAT, 0o600)
        # Young again, so that it is not tidied away.
        os.utime(handle)
        fcntl.flock(handle, fcntl.LOCK_SH)
        return handle

    @property
    def followed(self) -> bool:
        """Whether somebody in another process than the maker's reads the file while it grows."""
        with contextlib.suppress(FileNotFoundError):
            return read_now(self.followers)
        return False

    @property
    def held(self) -> bool:
        """Whether somebody, in this process or another, makes the file now."""
        handle = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(handle)


def grows(handle: int) -> bool:
    """Whether the maker of an open file is still at work on it.

    When it is not, the lock stays with the reader until it closes the file: so nobody tidies away what is read.
    """
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def read_now(path: Path) -> bool:
    """Whether somebody reads, or makes, a file."""
    return not _alone_with(path, lambda: None)


def take_away(path: Path) -> bool:
    """Remove a file that nobody reads or makes; whether it went. What is a lock is held while it loses its name."""
    return _alone_with(path, lambda: path.unlink(missing_ok=True))


def _alone_with(path: Path, act: Callable[[], None]) -> bool:
    """Act while nobody else has a lock on the file; whether it was so. Raises FileNotFoundError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        act()
    except BlockingIOError:
        return False
    else:
        return True
    finally:
        os.close(handle)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One at a time, in all processes: who writes what follows from what is there must not miss what another puts there
    meanwhile.
    """
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def drafted(draft: Path) -> Iterator[Path]:
    """A file that gets its name in the block; when the block fails, what was written of it takes no room."""
    try:
        yield draft
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Put the names in a folder on the disk: a file that was synced can still lose its name in a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def made_now(folder: Path) -> int:
    """How many files somebody makes now, in whichever process."""
    count = 0
    for part in folder.glob(".*.part"):
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(part, os.O_RDONLY)
            try:
                count += grows(handle)
            finally:
                os.close(handle)
    return count
