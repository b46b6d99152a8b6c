"""One system's box on the disk.

    <system>/lock                 held while names in the box change
    <system>/in/<transfer>/       one parcel: its note, and the files that the receiver sees in IN
    <system>/out/                 what the system uploads
    <system>/sent/<transfer>/     what it has sent and what is on its way
    <system>/refs/                what senders called their files: the same is not sent twice

A parcel is made ready under a name of its own and lands by one rename of its folder: file, metadata and trigger are
there together, whole, or not at all. Its note stays when the receiver has deleted the files, so what is put again
after a crash does not land twice.
"""

import contextlib
import errno
import fcntl
import functools
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from extract.exchange.parcel import NOTE, ParcelNote
from extract.place import sync_folder

_DRAFT: Final = ".new-"
_DRAFT_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Held:
    """One name in IN: the file behind it, and the note of its parcel."""

    path: Path
    note: ParcelNote


class NameTaken(Exception):
    """The receiver's IN holds a file of that name."""


class BoxFull(Exception):
    """The receiver's IN holds as many parcels, or bytes, as it may."""


@dataclass(frozen=True, slots=True)
class Box:
    """root   the system's own folder"""

    root: Path

    @property
    def incoming(self) -> Path:
        return self.root / "in"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def sent(self) -> Path:
        return self.root / "sent"

    @property
    def refs(self) -> Path:
        return self.root / "refs"

    def make(self) -> None:
        for folder in (self.incoming, self.out, self.sent, self.refs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One at a time, in all processes; the operating system ends it with the process."""
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def parcels(self) -> Iterator[tuple[Path, ParcelNote]]:
        try:
            folders = sorted(self.incoming.iterdir())
        except FileNotFoundError:
            return
        for folder in folders:
            if folder.name.startswith("."):
                continue
            with contextlib.suppress(FileNotFoundError):
                path = folder / NOTE
                found = path.stat()
                yield folder, _note(path, found.st_ino, found.st_mtime_ns)

    def names(self) -> Mapping[str, Held]:
        """All that lies in IN, by name; whether the receiver may still fetch it is not asked here."""
        held: dict[str, Held] = {}
        for folder, note in self.parcels():
            with contextlib.suppress(FileNotFoundError):
                for entry in os.scandir(folder):
                    if not entry.name.startswith("."):
                        held[entry.name] = Held(folder / entry.name, note)
        return held

    def draft(self) -> Path:
        """A folder in which a parcel is made ready."""
        self.make()
        folder = self.incoming / f"{_DRAFT}{uuid.uuid4()}"
        folder.mkdir(mode=0o700)
        return folder

    def has(self, transfer: str) -> bool:
        """Whether a transfer landed here, also when its files have been fetched and deleted since."""
        return (self.incoming / transfer / NOTE).exists()

    def land(
        self, ready: Path, transfer: str, *, most: int | None, most_bytes: int | None = None, instead: bool = False
    ) -> bool:
        """Give a parcel that was made ready its place: it is in IN whole from now on. False when it was there before.

        most         parcels that IN may hold
        most_bytes   of their files; one that is linked elsewhere too counts in full
        instead      receipts of the same names make room. Raises NameTaken, BoxFull; then the parcel is where it was.
        """
        names = {entry.name for entry in os.scandir(ready) if not entry.name.startswith(".")}
        with self.alone():
            if self.has(transfer):
                return False
            held = dict(self.names())
            for name in [name for name in names & held.keys() if instead and held[name].note.is_receipt]:
                held.pop(name).path.unlink(missing_ok=True)
            if names & held.keys():
                raise NameTaken
            if most is not None and len({each.note.transfer for each in held.values()}) >= most:
                raise BoxFull
            if most_bytes is not None:
                coming = sum(_size(ready / name) for name in names)
                if coming + sum(_size(each.path) for each in held.values()) > most_bytes:
                    raise BoxFull
            sync_folder(ready)
            ready.rename(self.incoming / transfer)
            sync_folder(self.incoming)
        return True

    def remove(self, name: str, held: Held) -> bool:
        """Take a name out of IN. False when it was gone before."""
        with self.alone():
            try:
                held.path.unlink()
            except FileNotFoundError:
                return False
        del name
        return True

    def sweep(self, keep_s: float) -> int:
        """Clean up what is older than `keep_s`, with what crashes left of parcels. Returns how many names went."""
        now, gone = time.time(), 0
        with self.alone():
            for folder in self._folders(self.incoming):
                draft = folder.name.startswith(".")
                with contextlib.suppress(FileNotFoundError):
                    age = now - (folder if draft else folder / NOTE).stat().st_mtime
                    if age > (_DRAFT_S if draft else keep_s):
                        gone += sum(not entry.name.startswith(".") for entry in os.scandir(folder))
                        shutil.rmtree(folder)
            for folder in (self.out, self.refs):
                for path in self._folders(folder):
                    with contextlib.suppress(FileNotFoundError, IsADirectoryError, PermissionError):
                        if now - path.lstat().st_mtime > keep_s:
                            path.unlink()
                            gone += folder == self.out
        return gone

    @staticmethod
    def _folders(folder: Path) -> list[Path]:
        try:
            return list(folder.iterdir())
        except FileNotFoundError:
            return []


def _size(path: Path) -> int:
    """0 for what its receiver has deleted this moment."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def link_or_copy(source: Path, target: Path) -> None:
    """The same file under another name; on another file system, its copy, on the disk when this returns."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in {errno.EXDEV, errno.EMLINK, errno.EPERM}:
            raise
        shutil.copy2(source, target)
        handle = os.open(target, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_synced(path: Path, text: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        view = memoryview(text)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    finally:
        os.close(handle)


@functools.lru_cache(maxsize=10_000)
def _note(path: Path, _inode: int, _mtime_ns: int) -> ParcelNote:
    """A note never changes; another one under the same name is another file."""
    return ParcelNote.from_json(path.read_bytes())
