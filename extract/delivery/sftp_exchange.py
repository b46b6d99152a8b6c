"""IN and OUT over SFTP, beside the read-only view of a system's agreements.

IN is read and deleted from; in OUT files are written, read back, renamed and deleted. Receipts are found at the root
too, where some senders look for them.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import paramiko
from paramiko.sftp import SFTP_OK
from typing_extensions import Buffer

from extract.delivery.sftp_session import ABSENT, READ_ONLY, OpenFile, ReadOnlyFiles, Session, canonical
from extract.delivery.sftp_transfer import Outcome
from extract.delivery.sftp_tree import File, Folder, Node
from extract.exchange.desk import Desk, InFile, Upload
from extract.exchange.names import RECEIPT, clean_name

IN: Final = "IN"
OUT: Final = "OUT"
_OWN_FOLDER: Final = 0o40755
_OWN_FILE: Final = 0o100644
_REMEMBERED_S: Final = 30.0
_MOST_REMEMBERED: Final = 200


class ExchangeFiles(ReadOnlyFiles):
    """As ReadOnlyFiles, and the system's IN and OUT where there is an exchange."""

    def __init__(
        self, server: paramiko.ServerInterface, *_: Any, session: Callable[[], Session], transfer: OpenFile
    ) -> None:
        super().__init__(server, session=session, transfer=transfer)
        self._seen: dict[str, tuple[float, paramiko.SFTPAttributes]] = {}

    @property
    def _desk(self) -> Desk | None:
        return self._session.desk

    def open(self, path: str, flags: int, attributes: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        names = _names(path)
        desk = self._desk
        if desk is None or len(names) != 2 or names[0] != OUT or not desk.may_send:
            return super().open(path, flags, attributes)
        self._session.touch()
        if not flags & (os.O_WRONLY | os.O_RDWR):
            found = desk.outgoing().get(clean_name(names[1]) or "")
            return ABSENT if found is None else Reading(self._session, os.open(found, os.O_RDONLY | os.O_NOFOLLOW))
        try:
            return Writing(self._session, desk.upload(names[1], flags), self._remember)
        except FileNotFoundError:
            return ABSENT

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        found = super().stat(path)
        if found is ABSENT and (kept := self._seen.get(canonical(path))) is not None:
            # A trigger is gone as soon as it is closed, and clients look at once whether it has arrived.
            until, attributes = kept
            return attributes if time.monotonic() < until else ABSENT
        return found

    def remove(self, path: str) -> int:
        return self._done(self._removed(_names(path)))

    def rename(self, oldpath: str, newpath: str) -> int:
        return self._done(self._renamed(_names(oldpath), _names(newpath), over=False))

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return self._done(self._renamed(_names(oldpath), _names(newpath), over=True))

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        # Clients that keep times and modes ask for it after each upload; there is nothing of that to keep.
        names = _names(path)
        own = self._desk is not None and len(names) == 2 and names[0] == OUT and attr.st_size is None
        return SFTP_OK if own and isinstance(self._find(path), File) else self._refused()

    def _removed(self, names: list[str]) -> bool | None:
        if self._desk is None:
            return None
        match names:
            case ["IN", name]:
                return self._desk.take_away(name)
            case [name] if name.endswith(RECEIPT):
                return self._desk.take_away(name)
            case ["OUT", name] if self._desk.may_send:
                return self._desk.withdraw(name)
            case _:
                return None

    def _renamed(self, old: list[str], new: list[str], *, over: bool) -> bool | None:
        if self._desk is None or not self._desk.may_send or [old[:-1], new[:-1]] != [[OUT], [OUT]]:
            return None
        return self._desk.rename(old[1], new[1], over=over)

    def _done(self, outcome: bool | None) -> int:
        self._session.touch()
        if outcome is None:
            return READ_ONLY
        return SFTP_OK if outcome else ABSENT

    def _remember(self, name: str, attributes: paramiko.SFTPAttributes) -> None:
        while len(self._seen) >= _MOST_REMEMBERED:
            self._seen.pop(next(iter(self._seen)))
        self._seen[f"/{OUT}/{name}"] = time.monotonic() + _REMEMBERED_S, attributes


class Writing(paramiko.SFTPHandle):
    """A file in OUT that a client writes."""

    def __init__(
        self, session: Session, upload: Upload, remember: Callable[[str, paramiko.SFTPAttributes], None]
    ) -> None:
        super().__init__(os.O_RDWR)
        self._session, self._upload, self._remember = session, upload, remember
        session.open_files += 1

    def write(self, offset: int, data: Buffer) -> int:
        self._session.touch()
        self._upload.write(offset, bytes(data))
        return SFTP_OK

    def read_into(self, offset: int, length: int, room: memoryview) -> Outcome:
        self._session.touch()
        return Outcome.of(self._upload.read(offset, room[:length]))

    def stat(self) -> paramiko.SFTPAttributes | int:
        return _attributes(os.fstat(self._upload.handle))

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        if attr.st_size is not None:
            self._upload.cut(attr.st_size)
        return SFTP_OK

    def close(self) -> None:
        self._end(whole=True)

    def abandon(self) -> None:
        """The client went without closing it: what it wrote stays to be gone on with, and sends nothing."""
        self._end(whole=False)

    def _end(self, *, whole: bool) -> None:
        if self._upload.handle < 0:
            return
        self._session.open_files -= 1
        self._session.touch()
        attributes = _attributes(os.fstat(self._upload.handle))
        self._upload.close(whole=whole)
        if whole and not self._upload.failed:
            self._remember(self._upload.name, attributes)


class Reading(paramiko.SFTPHandle):
    """A file in OUT that its sender reads back."""

    def __init__(self, session: Session, handle: int) -> None:
        super().__init__(os.O_RDONLY)
        self._session, self._handle = session, handle

    def read_into(self, offset: int, length: int, room: memoryview) -> Outcome:
        self._session.touch()
        if offset >= 2**63:
            return Outcome.of(0)
        return Outcome.of(os.preadv(self._handle, [room[:length]], offset))

    def stat(self) -> paramiko.SFTPAttributes | int:
        return _attributes(os.fstat(self._handle))

    def write(self, _: int, __: object) -> int:
        return READ_ONLY

    def chattr(self, _: paramiko.SFTPAttributes) -> int:
        return READ_ONLY

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def place(desk: Desk, path: str) -> Node | None:
    """The node of a path in the exchange; None for what is not there, or is no place of the exchange."""
    match _names(path):
        case ["IN"]:
            return Folder(tuple(sorted(desk.incoming())), mode=_OWN_FOLDER)
        case ["OUT"] if desk.may_send:
            return Folder(tuple(sorted(desk.outgoing())), mode=_OWN_FOLDER)
        case ["IN", name]:
            return _in_node(desk.incoming().get(clean_name(name) or ""))
        case ["OUT", name]:
            return _out_node(desk.outgoing().get(clean_name(name) or ""))
        case [name] if name.endswith(RECEIPT):
            found = desk.incoming().get(clean_name(name) or "")
            return _in_node(found) if found is not None and found.grant is None else None
        case _:
            return None


def children(desk: Desk, path: str) -> dict[str, Node]:
    """What the exchange adds to a folder; nothing for what is no folder of it."""
    match _names(path):
        case []:
            folders = (IN, OUT) if desk.may_send else (IN,)
            return {name: Folder((), mode=_OWN_FOLDER) for name in folders}
        case ["IN"]:
            return {name: node for name, each in desk.incoming().items() if (node := _in_node(each))}
        case ["OUT"]:
            return {name: node for name, each in desk.outgoing().items() if (node := _out_node(each))}
        case _:
            return {}


def _in_node(found: InFile | None) -> File | None:
    if found is None:
        return None
    note = found.held.note
    return File(
        found.path, found.grant, note.manifest if found.counts else None, mode=_OWN_FILE,
        transfer=note.transfer if found.counts else None,
    )  # fmt: skip


def _out_node(path: Path | None) -> File | None:
    return None if path is None else File(path, None, None, mode=_OWN_FILE)


def _attributes(found: os.stat_result) -> paramiko.SFTPAttributes:
    attributes = paramiko.SFTPAttributes()
    attributes.st_uid = attributes.st_gid = 0
    attributes.st_mode, attributes.st_size = _OWN_FILE, found.st_size
    attributes.st_atime = attributes.st_mtime = int(found.st_mtime)
    return attributes


def _names(path: str) -> list[str]:
    return [name for name in canonical(path).split("/") if name]
