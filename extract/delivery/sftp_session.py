"""One consumer's session over SFTP: read-only, and every file taken is in the ledger before its first byte leaves."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import paramiko
import structlog
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_PERMISSION_DENIED

from extract.delivery.manifest import Manifest
from extract.delivery.sftp_tree import FILE_MODE, FOLDER_MODE, File, Folder, Node, Tree
from kernel import (
    CallAnswered,
    Caller,
    Channel,
    Clock,
    Observe,
    Operation,
    RowsDelivered,
    SnapshotId,
    Timing,
    TraceId,
    new_event_id,
    new_trace_id,
)

_log = structlog.get_logger(__name__)

RECHECK_S: Final = 1.0
"""A transfer under way asks this often whether its permission still holds."""


@dataclass(slots=True)
class Session:
    """What a session's parts share. `active` is touched by every request, for the idle limit; `open_files` for a clean stop."""

    caller: Caller
    tree: Tree
    observe: Observe
    clock: Clock
    active: float = field(default_factory=time.monotonic)
    open_files: int = 0

    def touch(self) -> None:
        self.active = time.monotonic()


class ReadOnlyFiles(paramiko.SFTPServerInterface):
    """The SFTP requests that are answered: list, stat, open for reading, realpath. The others are refused."""

    def __init__(self, server: paramiko.ServerInterface, *_: Any, session: Callable[[], Session], **__: Any) -> None:
        super().__init__(server)
        self._session = session()

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        node = self._find(path)
        if not isinstance(node, Folder):
            return SFTP_NO_SUCH_FILE
        found = []
        for name in node.names:
            child = self._session.tree.find(f"{path}/{name}")
            if child is not None:
                attributes = _attributes(child)
                attributes.filename = name
                found.append(attributes)
        return found

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        node = self._find(path)
        return SFTP_NO_SUCH_FILE if node is None else _attributes(node)

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        return self.stat(path)

    def canonicalize(self, path: str) -> str:
        """Names are kept as they are, but for `.` and `..`, which are worked out on the text alone."""
        names: list[str] = []
        for name in path.split("/"):
            if name == "..":
                names = names[:-1]
            elif name not in {"", "."}:
                names.append(name)
        return "/" + "/".join(names)

    def open(self, path: str, flags: int, _: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND):
            return SFTP_PERMISSION_DENIED
        node = self._find(path)
        if not isinstance(node, File):
            return SFTP_NO_SUCH_FILE
        try:
            return _Transfer(self._session, path, node)
        except FileNotFoundError:
            return SFTP_NO_SUCH_FILE
        except Exception:
            # Without its line in the ledger nothing leaves.
            _log.exception("sftp_open_failed", system=self._session.caller.system)
            return SFTP_FAILURE

    def _refused(self, *_: Any) -> int:
        self._session.touch()
        return SFTP_PERMISSION_DENIED

    remove = rename = posix_rename = mkdir = rmdir = chattr = symlink = readlink = _refused  # type: ignore[assignment]

    def _find(self, path: str) -> Node | None:
        self._session.touch()
        return self._session.tree.find(self.canonicalize(path))


class _Transfer(paramiko.SFTPHandle):
    """A file that is being read. Manifests and sums are read without a line of their own: they hold no rows."""

    def __init__(self, session: Session, path: str, file: File) -> None:
        super().__init__(os.O_RDONLY)
        self._session, self._path, self._file = session, path, file
        self._opened = session.clock.now()
        self._began = time.monotonic()
        self._checked = self._began
        self._trace = new_trace_id()
        self._sent = self._reached = 0
        self._handle = os.open(file.path, os.O_RDONLY)
        self._size = os.fstat(self._handle).st_size
        self._manifest = self._find_manifest()
        if self._manifest is not None:
            try:
                self._announce(self._manifest)
            except BaseException:
                os.close(self._handle)
                raise
        session.open_files += 1

    def read(self, offset: int, length: int) -> bytes | int:
        now = time.monotonic()
        self._session.active = now
        if now - self._checked > RECHECK_S:
            self._checked = now
            if self._session.tree.find(self._path) != self._file:
                return SFTP_PERMISSION_DENIED
        try:
            # A read at an offset of its own: requests that the client sends ahead need no seek between them.
            piece = os.pread(self._handle, length, offset)
        except OSError:
            return SFTP_FAILURE
        self._sent += len(piece)
        self._reached = max(self._reached, offset + len(piece))
        return piece

    def stat(self) -> paramiko.SFTPAttributes:
        return _attributes(self._file)

    def chattr(self, _: paramiko.SFTPAttributes) -> int:
        return SFTP_PERMISSION_DENIED

    def close(self) -> None:
        if self._handle < 0:
            return
        os.close(self._handle)
        self._handle = -1
        self._session.open_files -= 1
        self._session.touch()
        if self._manifest is not None:
            try:
                self._report(self._manifest)
            except Exception:
                _log.exception("sftp_delivery_not_recorded", trace=self._trace)

    def _find_manifest(self) -> Manifest | None:
        grant = self._file.grant
        return self._session.tree.shelf.manifest(grant.agreement, grant.service, self._file.path.name)

    def _announce(self, manifest: Manifest) -> None:
        grant = self._file.grant
        self._session.observe(
            CallAnswered(
                event=new_event_id(),
                at=self._opened,
                trace=TraceId(self._trace),
                channel=Channel.SFTP,
                service=grant.service,
                operation=Operation.EXTRACT,
                system=self._session.caller.system,
                agreement=grant.agreement,
                terms_hash=grant.terms_hash,
                municipality_cvr=grant.municipality_cvr,
                status=200,
                timing=Timing(out_us=self._elapsed_us()),
                snapshot=SnapshotId(manifest.snapshot),
                rows=manifest.rows,
                size_bytes=manifest.size_bytes,
            )
        )

    def _report(self, manifest: Manifest) -> None:
        grant = self._file.grant
        whole = self._reached >= self._size
        self._session.observe(
            RowsDelivered(
                event=new_event_id(),
                at=self._session.clock.now(),
                trace=TraceId(self._trace),
                channel=Channel.SFTP,
                service=grant.service,
                system=self._session.caller.system,
                agreement=grant.agreement,
                terms_hash=grant.terms_hash,
                municipality_cvr=grant.municipality_cvr,
                extract=manifest.plan,
                snapshot=SnapshotId(manifest.snapshot),
                rows=manifest.rows if whole else 0,
                size_bytes=self._sent,
                whole=whole,
                timing=Timing(out_us=self._elapsed_us()),
            )
        )

    def _elapsed_us(self) -> int:
        return int((time.monotonic() - self._began) * 1_000_000)


def _attributes(node: Node) -> paramiko.SFTPAttributes:
    attributes = paramiko.SFTPAttributes()
    attributes.st_uid = attributes.st_gid = 0
    if isinstance(node, Folder):
        attributes.st_mode, attributes.st_size = FOLDER_MODE, 0
        attributes.st_atime = attributes.st_mtime = 0
    else:
        found = node.path.stat()
        attributes.st_mode, attributes.st_size = FILE_MODE, found.st_size
        attributes.st_atime = attributes.st_mtime = int(found.st_mtime)
    return attributes
