"""A file written beside another, whose place it takes when it is whole. Whoever dies in between leaves the old one."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from extract.place import sync_folder
from kernel import OperatorMistake


class CopyBusy(OperatorMistake):
    code = "copy_busy"
    title = "The copy is being mended"


class Draft:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.kept = True

    def write(self, piece: bytes | memoryview) -> None:
        self._file.write(piece)

    def abandon(self) -> None:
        """The old file stays."""
        self.kept = False


@contextmanager
def replacing(path: Path) -> Iterator[Draft]:
    """Nobody else may read the draft, since the old file may not be anybody's to read. Raises CopyBusy."""
    beside = path.with_name(f".{path.name}.mended")
    with _locked(beside) as file:
        try:
            draft = Draft(file)
            yield draft
            if draft.kept:
                file.flush()
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
                os.fsync(file.fileno())
                beside.replace(path)
                sync_folder(path.parent)
        finally:
            if file.writable() and _is_at(file, beside):
                beside.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    while True:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CopyBusy("another process is mending this copy", remedy="wait until it has ended") from None
            # Between opening and locking, another may have put this very file in its place.
            if _is_at(file, path):
                os.fchmod(handle, 0o600)
                os.ftruncate(handle, 0)
                yield file
                return


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False
