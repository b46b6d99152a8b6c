"""Where ledger files lie, and the list of all that ever were.

    ledger/
      open/     being written (the writer holds a lock on its file), or left by a process that died
      sealed/   whole, waiting for the intake
      taken/    in the usage lake; kept
      faulty/   set aside by the intake since something was wrong with it; kept for whoever looks into it
      files.jsonl   the list: a chained line when a file is begun, and one when it is sealed

A file moves from the top downwards and never back. So whoever looks into `open`, then `sealed`, then the usage
lake meets every file at least once, whatever moves meanwhile; one folder with changing names would not give
that, since a name that changes while a folder is read may be missed.

The list is what makes a removed file show, also the last one of a process.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from usage.chain import START, Broken, Fault, lines, link

SUFFIX: Final = ".jsonl"
_LAST_LINES_BYTES: Final = 16_384
_YOUNG_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class FileList:
    """The list as read: entries in order with their hashes, and the fault that ended the reading."""

    entries: tuple[dict[str, Any], ...] = ()
    hashes: tuple[str, ...] = ()
    fault: Fault | None = None

    @property
    def begun(self) -> frozenset[str]:
        return frozenset(entry["file"] for entry in self.entries if entry.get("what") == "begun")

    @property
    def sealed(self) -> dict[str, dict[str, Any]]:
        """File -> how it was sealed: `events` and the hash of its last line, `last`."""
        return {entry["file"]: entry for entry in self.entries if entry.get("what") == "sealed"}


class LedgerFolder:
    """Paths are made on first use by a writer; readers take what is there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.open = root / "open"
        self.sealed = root / "sealed"
        self.taken = root / "taken"
        self.faulty = root / "faulty"
        self.list = root / "files.jsonl"

    def make(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.open, self.sealed, self.taken, self.faulty):
            folder.mkdir(mode=0o700, exist_ok=True)

    def found(self, folder: Path) -> list[Path]:
        """Ledger files in one of the folders, oldest first (their names are UUIDs of version 7)."""
        try:
            return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX and path.name[0] != ".")
        except FileNotFoundError:
            return []

    def sweep(self) -> None:
        """Remove drafts of processes that were killed before their file had a name: no event was in them."""
        for draft in self.open.glob(".*.part"):
            with locked_if_free(draft) as handle:
                # A young one may belong to a process that has made it and not locked it yet.
                if handle is not None and time.time() - os.fstat(handle).st_mtime > _YOUNG_S:
                    draft.unlink()

    def move(self, path: Path, folder: Path) -> Path:
        """Move a file on, so that it is there after a power cut too. Raises OSError."""
        target = folder / path.name
        path.rename(target)
        sync_folder(folder)
        return target

    def note(self, what: str, file: str, **facts: Any) -> None:
        """Add a line to the list, on the disk when this returns. Raises OSError; then nothing was added."""
        handle = os.open(self.list, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            end = os.pread(handle, _LAST_LINES_BYTES, max(0, size - _LAST_LINES_BYTES))
            whole = size - (len(end) - (end.rfind(b"\n") + 1))
            if whole < size:
                # A process was killed while it added this line: whatever it notes will be noted by the intake.
                os.ftruncate(handle, whole)
            number, previous = _last_of(end)
            body = orjson.dumps({"seq": number + 1, "what": what, "file": file, **facts})
            line, _ = link(previous, body)
            try:
                if os.write(handle, line) < len(line):
                    raise OSError(errno.ENOSPC, "no room for a line in the list of ledger files")
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, whole)
                raise
        finally:
            os.close(handle)

    def read_list(self) -> FileList:
        """Bytes after the last newline do not count: someone adds a line just now, or was killed doing it."""
        try:
            data = self.list.read_bytes()
        except FileNotFoundError:
            return FileList()
        entries: list[dict[str, Any]] = []
        hashes: list[str] = []
        try:
            for line in lines(data):
                if line.value.get("seq") != line.number or not isinstance(line.value.get("file"), str):
                    fault = Fault(self.list.name, line.number, "the line is not an entry of the list")
                    return FileList(tuple(entries), tuple(hashes), fault)
                entries.append(line.value)
                hashes.append(line.hash.decode())
        except Broken as broken:
            return FileList(tuple(entries), tuple(hashes), Fault(self.list.name, broken.line, broken.what))
        return FileList(tuple(entries), tuple(hashes))


def _last_of(end: bytes) -> tuple[int, bytes]:
    """Number and hash of the last whole line; a line that cannot be read begins a new chain, which verify shows."""
    whole = end[: end.rfind(b"\n") + 1].rstrip(b"\n")
    if not whole:
        return 0, START
    try:
        value = orjson.loads(whole[whole.rfind(b"\n") + 1 :])
        return int(value["seq"]), str(value["hash"]).encode()
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return 0, START


def sync_folder(folder: Path) -> None:
    """Make renames in `folder` outlive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def locked_if_free(path: Path) -> Iterator[int | None]:
    """A handle on `path` with its lock held, None when its writer is alive or the file has moved on."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        # Between opening and locking, the writer may have sealed it and moved it away: then it is not ours.
        try:
            same = path.stat().st_ino == os.fstat(handle).st_ino
        except FileNotFoundError:
            same = False
        yield handle if same else None
    finally:
        os.close(handle)
