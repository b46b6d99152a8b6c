"""The ledger: each event is on record before its answer leaves.

What a failure can take:

- `kill -9` of a process: nothing that record() returned for. The line is then in the operating system's page
  cache, which outlives the process.
- a power cut: what was recorded in the last `fsync_ms` (default one second), since the lines are put on the disk
  by a thread of their own. With `fsync_ms = 0` each record() waits for the disk, and a power cut takes nothing.
- a full disk: nothing. record() raises LedgerUnavailable, the answer does not leave, and the half line is cut off.
"""

import errno
import fcntl
import os
import platform
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson
import structlog

from kernel import Clock, Observation, new_id
from usage.chain import START, link
from usage.errors import LedgerUnavailable
from usage.folder import SUFFIX, LedgerFolder, sync_folder
from usage.line import row_of
from usage.record import FORMAT
from usage.settings import UsageSettings
from usage.subject import subject_hash

_log = structlog.get_logger(__name__)

_LOOK_S: Final = 1.0
"""How often an idle ledger looks whether its file is old enough to be sealed, at most, seconds."""


class Ledger:
    """One process's ledger; threads share it. Made in the process that writes (not before a fork).

    folder        the instance's ledger folder, shared by all processes
    role          what kind of process writes: api, sftp, worker...
    subject_key   the key under which identifiers are hashed (see subject_hash)
    node          name of the machine, its host name unless given

    The first record() begins a file; it is sealed when it is large or old enough, and by close().
    """

    def __init__(
        self,
        folder: Path,
        *,
        role: str,
        subject_key: bytes,
        clock: Clock,
        settings: UsageSettings | None = None,
        node: str | None = None,
    ) -> None:
        self._folder = LedgerFolder(folder)
        self._folder.make()
        self._role, self._node = role, node or platform.node()
        self._key, self._clock = subject_key, clock
        settings = settings or UsageSettings()
        self._rotate_bytes, self._rotate_s = settings.rotate_mb * 1_000_000, settings.rotate_s
        self._fsync_s = settings.fsync_ms / 1_000
        self._lock = threading.Lock()
        self._handle = -1
        self._id = ""
        self._previous_id: str | None = None
        self._hash = START
        self._lines = self._size = 0
        self._begun_s = 0.0
        self._dirty = self._damaged = self._closed = False
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def record(self, observation: Observation) -> None:
        """Put one event on record. Returns when it is; the answer may leave then.

        Raises LedgerUnavailable when it cannot be; then it is not on record, and the answer must not leave.
        """
        row = _bytes_of(row_of(observation, self._hashed))
        with self._lock:
            if self._closed:
                raise _unavailable("the ledger of this process is closed")
            try:
                if self._damaged:
                    self._abandon()
                if self._handle >= 0 and self._due():
                    self._seal()
                if self._handle < 0:
                    self._begin()
                self._append(row, sync=self._fsync_s == 0)
            except OSError as error:
                raise _unavailable(_reason(error)) from error

    def close(self) -> None:
        """Seal the file. What cannot be sealed now (a full disk) is sealed by the intake, and loses nothing."""
        self._stop.set()
        if self._keeper is not None:
            self._keeper.join()
        with self._lock:
            self._closed = True
            self._seal_or_abandon()

    def _hashed(self, identifier: str) -> str:
        return subject_hash(self._key, identifier)

    def _due(self) -> bool:
        old = self._lines > 1 and time.monotonic() - self._begun_s >= self._rotate_s
        return old or self._size >= self._rotate_bytes

    def _begin(self) -> None:
        """Begin a file. It gets its name once the lock is held, so that nobody takes its writer for dead."""
        id_ = new_id()
        header = {
            "kind": "header", "format": FORMAT, "file": id_, "node": self._node, "role": self._role,
            "pid": os.getpid(), "started": self._clock.now(), "previous_file": self._previous_id,
            "previous": None if self._previous_id is None else self._hash.decode(),
        }  # fmt: skip
        path = self._folder.open / f"{id_}{SUFFIX}"
        draft = self._folder.open / f".{id_}.part"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            line, digest = link(START, b'{"seq":1,' + orjson.dumps(header)[1:])
            if os.write(handle, line) < len(line):
                raise OSError(errno.ENOSPC, "no room for the header of a ledger file")
            os.fsync(handle)
            # Named first, listed second: a crash between the two leaves a file without events that no list
            # names, which means nothing; the other way round it would look like a removed file.
            draft.rename(path)
            sync_folder(self._folder.open)
            self._folder.note("begun", id_, node=self._node, role=self._role, pid=os.getpid())
        except BaseException:
            draft.unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            os.close(handle)
            raise
        self._handle, self._id, self._hash = handle, id_, digest
        self._lines, self._size, self._begun_s = 1, len(line), time.monotonic()
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep, name="ledger", daemon=True)
            self._keeper.start()

    def _append(self, body: bytes, *, sync: bool) -> None:
        """One line, whole or not at all. `body` is a JSON object without its first brace."""
        line, digest = link(self._hash, b'{"seq":%d,%b' % (self._lines + 1, body))
        try:
            written = os.write(self._handle, line)
            if written < len(line):
                raise OSError(errno.ENOSPC, "no room for a ledger line")
            if sync:
                os.fsync(self._handle)
        except OSError:
            self._take_back()
            raise
        self._hash = digest
        self._lines += 1
        self._size += len(line)
        self._dirty = True

    def _take_back(self) -> None:
        """Cut off what a failed write left. When that fails too, the file is left to the intake, which does it."""
        try:
            os.ftruncate(self._handle, self._size)
        except OSError:
            self._abandon()

    def _seal(self) -> None:
        seal = {"kind": "seal", "events": self._lines - 1, "torn_bytes": 0, "by": "writer"}
        self._append(orjson.dumps({**seal, "time": self._clock.now()})[1:], sync=True)
        try:
            self._folder.note("sealed", self._id, events=seal["events"], last=self._hash.decode())
            self._folder.move(self._folder.open / f"{self._id}{SUFFIX}", self._folder.sealed)
        finally:
            # Whatever failed: nothing may stand after a seal, and the intake does what is left.
            self._leave()

    def _seal_or_abandon(self) -> None:
        if self._handle < 0:
            return
        try:
            self._seal()
        except OSError as error:
            _log.warning("ledger_file_not_sealed", file=self._id, reason=_reason(error))
            self._abandon()

    def _abandon(self) -> None:
        """Let go of the lock without a seal: for the intake, this file's writer is dead."""
        if self._handle >= 0:
            self._leave()

    def _leave(self) -> None:
        os.close(self._handle)
        self._handle, self._previous_id = -1, self._id
        self._dirty = self._damaged = False

    def _keep(self) -> None:
        """The thread that puts lines on the disk and seals a file that grew old while nobody called."""
        pause = min(_LOOK_S, self._fsync_s or _LOOK_S, self._rotate_s)
        while not self._stop.wait(pause):
            with self._lock:
                handle = os.dup(self._handle) if self._handle >= 0 and self._dirty else -1
                self._dirty = False
            if handle >= 0:
                self._sync(handle)
            with self._lock:
                if self._handle >= 0 and self._due():
                    self._seal_or_abandon()

    def _sync(self, handle: int) -> None:
        # On a duplicate and without the lock: record() goes on while the disk works.
        try:
            os.fsync(handle)
        except OSError as error:
            # What the disk refused once, it does not report again: go on in a new file.
            _log.error("ledger_not_on_disk", file=self._id, reason=_reason(error))
            with self._lock:
                self._damaged = True
        finally:
            os.close(handle)


def _bytes_of(row: dict[str, Any]) -> bytes:
    """The row as JSON without its first brace."""
    try:
        return orjson.dumps(row)[1:]
    except orjson.JSONEncodeError:
        # Half a surrogate pair from outside (a peer's name, a reason) must not keep an event off the record.
        mended = {
            name: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
            for name, value in row.items()
        }
        return orjson.dumps(mended)[1:]


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _unavailable(reason: str) -> LedgerUnavailable:
    return LedgerUnavailable(
        f"the call could not be put on record ({reason})",
        remedy="call again later; the operator finds the reason in the log and must make room for the ledger",
        retry_after_s=30,
    )
