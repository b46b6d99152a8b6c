"""One consumer's session over SFTP: the requests that are answered, and those that never are."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import paramiko
from paramiko.sftp import SFTP_FAILURE, SFTP_NO_SUCH_FILE, SFTP_PERMISSION_DENIED

from extract.delivery.sftp_tree import File, Folder, Node, Tree
from extract.exchange.desk import Desk
from kernel import Caller, Clock, DiskFull, Observe, no_room

_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_EXCL


class Refusal(int):
    """A status of the protocol, and the words that go with it."""

    text: str

    def __new__(cls, status: int, text: str) -> "Refusal":
        made = super().__new__(cls, status)
        made.text = text
        return made


READ_ONLY: Final = Refusal(SFTP_PERMISSION_DENIED, "read_only: files are fetched here, never changed")
ENDED: Final = Refusal(SFTP_PERMISSION_DENIED, "agreement_not_live: no agreement in force covers this file any more")
ABSENT: Final = Refusal(SFTP_NO_SUCH_FILE, "no such file or folder for this system; `ls /` shows what there is")
NO_ROOM: Final = Refusal(SFTP_FAILURE, f"{DiskFull.code}: {no_room().message}; try again later")
FAILED: Final = Refusal(SFTP_FAILURE, "house_fault: a fault of ours; try again, and tell us if it stays")


@dataclass(slots=True)
class Session:
    """What the parts of a session share.

    active       when the last request came (monotonic, seconds), for the idle limit
    open_files   transfers under way, for a clean stop
    desk         the system's IN and OUT, None where there is no exchange
    """

    caller: Caller
    tree: Tree
    observe: Observe
    clock: Clock
    active: float = field(default_factory=time.monotonic)
    open_files: int = 0
    ended: bool = False
    desk: Desk | None = None
    places: "Places | None" = None

    def find(self, path: str) -> Node | None:
        """The folder or file of a canonical path, None when there is none for this system."""
        if self.desk is not None and self.places is not None and (node := self.places.find(self.desk, path)):
            return node
        return self.tree.find(path)

    def children(self, path: str) -> dict[str, Node] | None:
        """Everything in a folder by its name; None when it is no folder."""
        children = self.tree.children(path)
        if self.desk is None or self.places is None:
            return children
        added = self.places.children(self.desk, path)
        if children is None and not added and not isinstance(self.places.find(self.desk, path), Folder):
            return None
        return (children or {}) | added

    def touch(self) -> None:
        self.active = time.monotonic()


@dataclass(frozen=True, slots=True)
class Places:
    """What the exchange adds to the view of agreements."""

    find: Callable[[Desk, str], Node | None]
    children: Callable[[Desk, str], dict[str, Node]]


OpenFile = Callable[[Session, str, File], paramiko.SFTPHandle]


class ReadOnlyFiles(paramiko.SFTPServerInterface):
    """List, stat, open for reading, realpath. Everything else is refused, whether or not the path exists."""

    def __init__(
        self,
        server: paramiko.ServerInterface,
        *_: Any,
        session: Callable[[], Session],
        transfer: OpenFile,
    ) -> None:
        super().__init__(server)
        self._session = session()
        self._transfer = transfer

    def session_ended(self) -> None:
        self._session.ended = True

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        self._session.touch()
        children = self._session.children(canonical(path))
        if children is None:
            return ABSENT
        listed = []
        for name, child in sorted(children.items()):
            attributes = attributes_of(child)
            if attributes is not None:
                attributes.filename = name
                listed.append(attributes)
        return listed

    def stat(self, path: str) -> paramiko.SFTPAttributes | int:
        node = self._find(path)
        attributes = None if node is None else attributes_of(node)
        return ABSENT if attributes is None else attributes

    def lstat(self, path: str) -> paramiko.SFTPAttributes | int:
        return self.stat(path)

    def canonicalize(self, path: str) -> str:
        return canonical(path)

    def open(self, path: str, flags: int, _: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        node = self._find(path)
        if flags & _WRITING:
            return READ_ONLY
        if not isinstance(node, File):
            return ABSENT
        try:
            return self._transfer(self._session, canonical(path), node)
        except FileNotFoundError:
            return ABSENT

    def _refused(self, *_: Any) -> int:
        self._session.touch()
        return READ_ONLY

    remove = rename = posix_rename = mkdir = rmdir = chattr = symlink = readlink = _refused  # type: ignore[assignment]

    def _find(self, path: str) -> Node | None:
        self._session.touch()
        return self._session.find(canonical(path))


def canonical(path: str) -> str:
    """An absolute path without `.` and `..`, worked out on the text alone."""
    names: list[str] = []
    for name in path.split("/"):
        if name == "..":
            names = names[:-1]
        elif name not in {"", "."}:
            names.append(name)
    return "/" + "/".join(names)


def attributes_of(node: Node) -> paramiko.SFTPAttributes | None:
    """None when a file was taken off the shelf this very moment."""
    attributes = paramiko.SFTPAttributes()
    attributes.st_uid = attributes.st_gid = 0
    if isinstance(node, Folder):
        attributes.st_mode, attributes.st_size = node.mode, 0
        attributes.st_atime = attributes.st_mtime = 0
        return attributes
    try:
        found = node.path.stat()
    except FileNotFoundError:
        return None
    attributes.st_mode, attributes.st_size = node.mode, found.st_size
    attributes.st_atime = attributes.st_mtime = int(found.st_mtime)
    return attributes
