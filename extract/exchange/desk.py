"""What one system may do with its IN and OUT. Every name is looked up among those that are there; none is a path."""

import contextlib
import errno
import fcntl
import os
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from extract.errors import ExchangeFileBusy, ExchangeNameInvalid, ExchangeNameTaken, ExchangeQuotaFull
from extract.exchange.agreed import EXCHANGE_SERVICE
from extract.exchange.box import Box, Held
from extract.exchange.exchange import Exchange
from extract.exchange.names import TRIGGER, clean_name, is_companion, stem_of
from extract.exchange.sending import Sending
from extract.exchange.xml import MOST_BYTES
from kernel import MB, Caller, Grant, full_disk_told

_STEP_BYTES: Final = 32 * MB
"""What else lies in OUT is counted anew after so much was written."""


@dataclass(frozen=True, slots=True)
class InFile:
    """A name in IN that the receiver may fetch. grant: None for a receipt, which is its own."""

    path: Path
    held: Held
    grant: Grant | None

    @property
    def counts(self) -> bool:
        """Whether it is the file itself, which is accounted for, and not what goes with it."""
        return self.grant is not None and self.path.name == self.held.note.name


@dataclass(slots=True)
class Desk:
    """grants   the system's permissions in force, asked for at every step"""

    exchange: Exchange
    sending: Sending
    caller: Caller
    grants: Callable[[], tuple[Grant, ...]]
    box: Box = field(init=False)

    def __post_init__(self) -> None:
        self.box = self.exchange.box(self.caller.system)
        self.box.make()

    @property
    def may_send(self) -> bool:
        return any(grant.service == EXCHANGE_SERVICE for grant in self.grants())

    def incoming(self) -> dict[str, InFile]:
        grants, found = self.grants(), dict[str, InFile]()
        for name, held in self.box.names().items():
            grant = held.note.carried_by(grants)
            if grant is not None or held.note.is_receipt:
                found[name] = InFile(held.path, held, grant)
        return found

    def outgoing(self) -> dict[str, Path]:
        if not self.may_send:
            return {}
        return {
            entry.name: Path(entry.path)
            for entry in os.scandir(self.box.out)
            if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False)
        }

    def take_away(self, name: str) -> bool:
        """Delete from IN what was fetched. False when it is not there."""
        found = self.incoming().get(_normal(name))
        return found is not None and self.box.remove(name, found.held)

    def withdraw(self, name: str) -> bool:
        """Delete from OUT what was not sent. False when it is not there. Raises ExchangeFileBusy."""
        with self.box.alone():
            path = self.outgoing().get(_normal(name))
            if path is None:
                return False
            os.close(_opened(path, os.O_RDWR))
            path.unlink()
        return True

    def rename(self, old: str, new: str, *, over: bool) -> bool:
        """Give a file in OUT another name; to that of a trigger, it sends. False when it is not there.

        over   whether a file of the new name is replaced. Raises ExchangeNameInvalid, ExchangeNameTaken,
               ExchangeFileBusy.
        """
        name = _name(new)
        with self.box.alone():
            there = self.outgoing()
            path = there.get(_normal(old))
            if path is None:
                return False
            if name in there and name != path.name and not over:
                raise ExchangeNameTaken("OUT holds a file of that name", remedy="delete it, or choose another name")
            for each in {path.name, name} & there.keys():
                os.close(_opened(there[each], os.O_RDWR))
            path.rename(self.box.out / name)
        self._closed(name)
        return True

    def upload(self, name: str, flags: int) -> "Upload":
        """Open a name in OUT for writing. What goes with a file gets its name when it is closed, so it is whole.

        Raises ExchangeNameInvalid, ExchangeNameTaken, ExchangeQuotaFull, ExchangeFileBusy, FileNotFoundError, DiskFull.
        """
        name = _name(name)
        with self.box.alone():
            there = self.outgoing()
            if flags & os.O_EXCL and name in there:
                raise ExchangeNameTaken("OUT holds a file of that name", remedy="delete it, or choose another name")
            if name not in there:
                if not flags & os.O_CREAT:
                    raise FileNotFoundError
                if len(there) >= self.exchange.settings.files:
                    raise ExchangeQuotaFull(
                        f"OUT holds {len(there)} files, as many as it may", remedy="send or delete some",
                        rule="exchange.files",
                    )  # fmt: skip
                self.exchange.floor.ensure(self.box.out)
            path, kept = self.box.out / name, flags & os.O_TRUNC
            if is_companion(name):
                path, kept = self.box.out / f".up-{uuid.uuid4()}", 0
            handle = _opened(path, os.O_RDWR | os.O_CREAT | kept)
        return Upload(self, name, path, handle)

    def allowance(self, but: Path) -> int:
        """How large a file in OUT may grow, bytes."""
        settings = self.exchange.settings
        others = 0
        for entry in os.scandir(self.box.out):
            if entry.name != but.name:
                with contextlib.suppress(FileNotFoundError):
                    others += entry.stat(follow_symlinks=False).st_size
        return max(0, min(settings.file_mb * MB, settings.out_mb * MB - others))

    def _closed(self, name: str) -> None:
        if name.endswith(TRIGGER):
            self.sending.trigger(self.caller, stem_of(name))


@dataclass(slots=True)
class Upload:
    """A file in OUT that is being written. It is locked until it is closed: it cannot be sent half."""

    desk: Desk
    name: str
    path: Path
    handle: int
    counted: int = 0
    allowed: int = -1
    failed: bool = False

    def write(self, offset: int, data: bytes) -> None:
        """Raises ExchangeQuotaFull, DiskFull. What a write has failed of is never whole."""
        try:
            with full_disk_told():
                self._write(offset, data)
        except BaseException:
            self.failed = True
            raise

    def _write(self, offset: int, data: bytes) -> None:
        end = offset + len(data)
        if end > self.allowed or end > self.counted + _STEP_BYTES:
            most = MOST_BYTES + 1 if is_companion(self.name) else self.desk.allowance(self.path)
            self.desk.exchange.floor.ensure(self.desk.box.out)
            self.allowed, self.counted = most, end
        if end > self.allowed:
            raise ExchangeQuotaFull(
                "the file is larger than may be sent, or OUT is full", remedy="send or delete what lies there",
                rule="exchange.size",
            )  # fmt: skip
        view = memoryview(data)
        while view:
            count = os.pwrite(self.handle, view, offset)
            view, offset = view[count:], offset + count

    def read(self, offset: int, room: memoryview) -> int:
        return os.preadv(self.handle, [room], offset)

    def cut(self, size: int) -> None:
        """Make it shorter; never longer, which would be a file full of nothing."""
        if size <= os.fstat(self.handle).st_size:
            os.ftruncate(self.handle, size)

    def close(self, *, whole: bool) -> None:
        """whole   the client closed it; False when it was cut off. A closed trigger sends.

        Raises DiskFull when it could not be put on the disk.
        """
        if self.handle < 0:
            return
        whole = whole and not self.failed
        try:
            with full_disk_told():
                os.fsync(self.handle)
                if whole and self.path.name != self.name:
                    with self.desk.box.alone():
                        self.path.rename(self.desk.box.out / self.name)
        except BaseException:
            whole = False
            raise
        finally:
            if not whole and self.path.name != self.name:
                self.path.unlink(missing_ok=True)
            os.close(self.handle)
            self.handle = -1
        if whole:
            self.desk._closed(self.name)


def _opened(path: Path, flags: int) -> int:
    """A locked handle of a file in OUT. Raises ExchangeFileBusy, ExchangeNameInvalid for what is no plain file."""
    try:
        handle = os.open(path, (flags & ~os.O_TRUNC) | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno not in {errno.ELOOP, errno.EISDIR}:
            raise
        raise ExchangeNameInvalid("the name is not that of a file", remedy="choose another name") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if flags & os.O_TRUNC:
            os.ftruncate(handle, 0)
    except BlockingIOError:
        os.close(handle)
        raise ExchangeFileBusy(
            "the file is being written in another session", remedy="wait until that has closed it", retry_after_s=5
        ) from None
    return handle


def _name(name: str) -> str:
    clean = clean_name(name)
    # A receipt is ours to write, and a companion of a companion is nobody's.
    if clean is None or clean.endswith(".sftpreceipt") or (is_companion(clean) and is_companion(stem_of(clean))):
        raise ExchangeNameInvalid(
            "the name is no name of a file in the exchange",
            remedy="use letters, digits, `.`, `_` and `-`, no more than 240 bytes, and no other one's ending",
        )
    return clean


def _normal(name: str) -> str:
    return clean_name(name) or ""
