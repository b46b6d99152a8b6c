"""The kinds of connectors under the contract, each with its peer."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import pytest

from sync.connectors import FolderSpec, SftpSpec
from sync.connectors.secret import Secret
from sync.sources import Connector
from sync.sources.remote import Selection
from tests.sync.connectors.peer import SECRET, Peer, Rows, as_csv, from_csv
from tests.sync.connectors.sftp_server import USER, SftpPeer

TIMEOUT_S = 0.5


@dataclass
class InFolder:
    folder: Path
    fault: str = ""

    def put(self, name: str, rows: Rows) -> None:
        (self.folder / name).write_bytes(as_csv(rows))

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()

    def rows(self, stream: BinaryIO) -> Rows:
        return from_csv(stream.read())

    def connector(self, work: Path) -> Connector:
        folder = self.folder.with_name("elsewhere") if self.fault == "has no such folder" else self.folder
        return FolderSpec(path=folder, pattern="*").connect(work)


@dataclass
class OverSftp(InFolder):
    server: SftpPeer = field(kw_only=True)

    def connector(self, work: Path) -> Connector:
        mischief = self.server.mischief
        mischief.fault = self.fault
        mischief.act = lambda: os.utime(next(self.folder.iterdir()), (0, 0))
        if self.fault == "has no such folder":
            self.server.root = self.folder / "elsewhere"
        return sftp_spec(
            self.server,
            work,
            secret="wrong" if self.fault == "does not let us in" else SECRET,
            host_key=self.server.client_key if self.fault == "is somebody else" else self.server.host_key,
            port=1 if self.fault == "is not there" else self.server.port,
        ).connect(work)


def sftp_spec(
    server: SftpPeer, work: Path, *, secret: str = SECRET, host_key: object = None, port: int = 0
) -> SftpSpec:
    known = host_key or server.host_key
    (work.parent / "password").write_text(f"{secret}\n")
    return SftpSpec(
        host="127.0.0.1",
        port=port or server.port,
        user=USER,
        host_key=f"{known.get_name()} {known.get_base64()}",  # type: ignore[attr-defined]
        path="/",
        password=Secret(work.parent / "password"),
        key=None,
        timeout_s=TIMEOUT_S,
        selection=Selection(),
    )


def _folder(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    (tmp_path / "inbox").mkdir()
    return InFolder(tmp_path / "inbox")


def _sftp(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    server = request.getfixturevalue("sftp")
    return OverSftp(server.root, server=server)


KINDS: dict[str, Callable[[pytest.FixtureRequest, Path], Peer]] = {"folder": _folder, "sftp": _sftp}
WITH_FILES = ("folder", "sftp")
