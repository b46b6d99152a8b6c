"""The kinds of connectors under the contract, each with its peer."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from sync.connectors import FolderSpec, HttpSpec, S3Spec, SftpSpec
from sync.connectors.http import HttpBody
from sync.connectors.s3 import S3Body
from sync.connectors.secret import Secret
from sync.sources import Connector
from sync.sources.http_session import Patience
from sync.sources.remote import Selection
from tests.sync.connectors.http_server import HttpPeer
from tests.sync.connectors.peer import SECRET, Peer, Rows, as_csv, from_csv
from tests.sync.connectors.postgres import InDatabase
from tests.sync.connectors.s3_server import ACCESS_KEY, BUCKET, PREFIX, S3Peer
from tests.sync.connectors.sftp_server import USER, SftpPeer

SILENT = ("says nothing", "falls silent half way")


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
            timeout_s=timeout_s(self.fault),
        ).connect(work)


def timeout_s(fault: str) -> float:
    """Long enough for a slow machine; short where it is to run out."""
    return 0.3 if fault in SILENT else 60.0


def sftp_spec(
    server: SftpPeer,
    work: Path,
    *,
    secret: str = SECRET,
    host_key: object = None,
    port: int = 0,
    timeout_s: float = 60.0,
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
        timeout_s=timeout_s,
        selection=Selection(),
    )


@dataclass
class OverHttp:
    server: HttpPeer
    fault: str = ""

    def put(self, name: str, rows: Rows) -> None:
        self.server.rows = rows

    def remove(self, name: str) -> None:
        self.server.rows = None

    def rows(self, stream: BinaryIO) -> Rows:
        return from_csv(stream.read())

    def connector(self, work: Path) -> Connector:
        self.server.mischief.fault = self.fault
        secret = "wrong" if self.fault == "does not let us in" else SECRET
        spec = http_spec(self.server, work, secret=secret, **self.body())
        spec = replace(
            spec,
            patience=replace(
                spec.patience,
                timeout_s=timeout_s(self.fault),
                deadline_s=0.5 if self.fault == "drips" else 600,
                max_bytes=100_000 if self.fault == "gives more than allowed" else 10_000_000,
            ),
        )
        if self.fault == "is not there":
            spec = replace(spec, interface=replace(spec.interface, url=spec.interface.url.copy_with(port=1)))
        return spec.connect(work)

    def body(self) -> dict[str, Any]:
        return {"path": "/doc.csv", "format": "csv"}


@dataclass
class OverHttpPages(OverHttp):
    def rows(self, stream: BinaryIO) -> Rows:
        records = [json.loads(line) for line in stream.read().splitlines()]
        return [(record["id"], record["name"]) for record in records]

    def body(self) -> dict[str, Any]:
        return {
            "path": "/api",
            "records": "data",
            "paging": {"kind": "next", "path": "links.next"},
            "changes": {"parameter": "since", "path": "id"},
        }


@dataclass
class InBucket:
    server: S3Peer
    fault: str = ""

    def put(self, name: str, rows: Rows) -> None:
        self.server.client.put_object(Bucket=BUCKET, Key=PREFIX + name, Body=as_csv(rows))

    def remove(self, name: str) -> None:
        self.server.client.delete_object(Bucket=BUCKET, Key=PREFIX + name)

    def rows(self, stream: BinaryIO) -> Rows:
        return from_csv(stream.read())

    def connector(self, work: Path) -> Connector:
        self.server.mischief.fault = self.fault
        self.server.mischief.act = lambda: self.put("a.csv", [("9", "Zoe")])
        spec = s3_spec(self.server, work)
        return replace(
            spec,
            bucket=replace(
                spec.bucket,
                timeout_s=timeout_s(self.fault),
                endpoint="http://127.0.0.1:1" if self.fault == "is not there" else spec.bucket.endpoint,
            ),
        ).connect(work)


def _table(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    return InDatabase(request.getfixturevalue("postgres"))


def _changes(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    return InDatabase(request.getfixturevalue("postgres"), changes=True)


def s3_spec(server: S3Peer, work: Path, **body: Any) -> S3Spec:
    """A source as an operator writes it, with less patience."""
    folder = work.parent / "secrets"
    folder.mkdir(exist_ok=True)
    (folder / "store").write_text(SECRET)
    told = {"kind": "s3", "bucket": BUCKET, "prefix": PREFIX, "endpoint": server.endpoint, "region": "eu-west-1"}
    told |= {"access_key": ACCESS_KEY, "secret_key": "store"}
    spec = S3Body.model_validate({**told, **body}).to_spec(work.parent)
    return replace(spec, bucket=replace(spec.bucket, attempts=1))


def _s3(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    return InBucket(request.getfixturevalue("s3"))


def http_spec(server: HttpPeer, work: Path, *, path: str, secret: str = SECRET, **body: Any) -> HttpSpec:
    """A source as an operator writes it, with less patience."""
    folder = work.parent / "secrets"
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(secret)
    told: dict[str, Any] = {"kind": "http", "url": f"http://127.0.0.1:{server.port}{path}"}
    told |= {"auth": {"kind": "bearer", "secret": "token"}}
    spec = HttpBody.model_validate({**told, **body}).to_spec(work.parent)
    return replace(spec, patience=Patience(timeout_s=60, deadline_s=600, attempts=3, wait_s=0.01))


def _http_document(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    return OverHttp(request.getfixturevalue("http"))


def _http_pages(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    return OverHttpPages(request.getfixturevalue("http"))


def _folder(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    (tmp_path / "inbox").mkdir()
    return InFolder(tmp_path / "inbox")


def _sftp(request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    server = request.getfixturevalue("sftp")
    return OverSftp(server.root, server=server)


KINDS: dict[str, Callable[[pytest.FixtureRequest, Path], Peer]] = {
    "folder": _folder,
    "sftp": _sftp,
    "s3": _s3,
    "http document": _http_document,
    "http pages": _http_pages,
    "sql table": _table,
    "sql changes": _changes,
}
MAY_BE_EMPTY = tuple(kind for kind in KINDS if kind != "sql table")
"""Of a table that is read whole, no rows are news too."""
WITH_FILES = ("folder", "sftp", "s3")
