"""One server per kind and session, spoiled per test and mended after it; no test may leave a connection open."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sync.connectors.http_server import HttpPeer, serve_http
from tests.sync.connectors.kinds import KINDS
from tests.sync.connectors.peer import Peer
from tests.sync.connectors.postgres import PostgresPeer, serve_postgres
from tests.sync.connectors.s3_server import S3Peer, serve_s3
from tests.sync.connectors.sftp_server import SftpPeer, serve_sftp


@pytest.fixture(scope="session")
def sftp_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpPeer]:
    with serve_sftp(tmp_path_factory.mktemp("sftp")) as server:
        yield server


@pytest.fixture
def sftp(sftp_server: SftpPeer, tmp_path: Path) -> Iterator[SftpPeer]:
    sftp_server.root = tmp_path / "shown"
    sftp_server.root.mkdir()
    yield sftp_server
    sftp_server.mischief.reset()
    sftp_server.close()


@pytest.fixture(scope="session")
def http_server() -> Iterator[HttpPeer]:
    with serve_http() as server:
        yield server


@pytest.fixture
def http(http_server: HttpPeer) -> Iterator[HttpPeer]:
    yield http_server
    http_server.reset()
    assert http_server.all_closed()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Peer]:
    with serve_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: S3Peer) -> Iterator[S3Peer]:
    yield s3_server
    s3_server.reset()
    assert s3_server.all_closed()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresPeer]:
    with serve_postgres() as server:
        yield server


@pytest.fixture
def postgres(postgres_server: PostgresPeer) -> Iterator[PostgresPeer]:
    yield postgres_server
    postgres_server.reset()
    assert postgres_server.all_closed()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The private folder that a run gives to its connector."""
    folder = tmp_path / "work"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def peer(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Peer:
    """The peer of a kind of connector; `kind` is a parameter of the test."""
    made: Peer = KINDS[kind](request, tmp_path)
    return made
