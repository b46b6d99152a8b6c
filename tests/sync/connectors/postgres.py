"""A real PostgreSQL server for one test session, and a line to it that tests can spoil."""

import io
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import psycopg
import pyarrow.parquet as pq
import pytest

from sync.connectors import SqlSpec
from sync.connectors.sql import SqlBody
from sync.sources import Connector
from tests.ports import free_port
from tests.sync.connectors.peer import SECRET, Mischief, Rows
from tests.waiting import eventually

DATABASE = "postgres"
READER = "reader"
NOBODY = 65534
"""The server does not run as root."""


def program(name: str) -> str:
    found = shutil.which(name) or max(map(str, Path("/usr/lib/postgresql").glob(f"*/bin/{name}")), default="")
    if not found:
        pytest.skip("PostgreSQL is not installed; tests/system-packages installs it where it can")
    return found


@dataclass
class PostgresPeer:
    """port    of the line to it; `own_port` of the server itself
    half    bytes after which a line is spoiled half way
    held    lines that are open
    """

    folder: Path
    own_port: int
    port: int = 0
    mischief: Mischief = field(default_factory=Mischief)
    half: int = 100_000
    held: int = 0

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """As the owner of everything."""
        return psycopg.connect(
            host=str(self.folder), port=self.own_port, user="owner", dbname=DATABASE, autocommit=True
        )

    def all_closed(self) -> bool:
        """Whether the clients let go of all lines; a little patience for their last words."""
        eventually(lambda: not self.held, lambda: f"{self.held} lines are open")
        return True

    def reset(self) -> None:
        self.mischief.reset()
        with self.connect() as owner:
            owner.execute("drop schema public cascade")
            owner.execute("create schema public")
            owner.execute("grant usage on schema public to reader")
            owner.execute("alter default privileges in schema public grant select on tables to reader")


@contextmanager
def serve_postgres() -> Iterator[PostgresPeer]:
    initdb, postgres = program("initdb"), program("postgres")
    unprivileged = {"user": NOBODY, "group": NOBODY} if os.getuid() == 0 else {}
    with tempfile.TemporaryDirectory(prefix="pg-") as made:
        # Short and open to its owner: a socket's path has 107 bytes, and pytest's own folders are closed to others.
        folder = Path(made)
        if unprivileged:
            os.chown(folder, NOBODY, NOBODY)
        run = {"check": True, "stdout": subprocess.DEVNULL, "cwd": made, "env": {**os.environ, "LC_ALL": "C"}}
        subprocess.run(
            [initdb, "-D", f"{made}/data", "-U", "owner", "--no-sync", "-A", "trust", "-E", "UTF8", "--locale=C"],
            **run, **unprivileged,  # type: ignore[call-overload]
        )  # fmt: skip
        (folder / "data" / "pg_hba.conf").write_text("local all owner trust\nhost all reader all scram-sha-256\n")
        port = free_port()
        server = subprocess.Popen(
            [postgres, "-D", f"{made}/data", "-p", str(port), "-k", made, "-h", "127.0.0.1", "-F"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=made, **unprivileged,  # type: ignore[call-overload]
        )  # fmt: skip
        try:
            peer = PostgresPeer(folder, port)
            eventually(lambda: _answers(peer, server), "PostgreSQL does not answer")
            with peer.connect() as owner:
                owner.execute(f"create role reader login password '{SECRET}'")
            peer.reset()
            with _line(peer):
                yield peer
        finally:
            # Now, whoever is still connected.
            server.send_signal(signal.SIGINT)
            server.wait(60)


def _answers(peer: PostgresPeer, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "PostgreSQL ended by itself"
    with suppress(psycopg.OperationalError):
        peer.connect().close()
        return True
    return False


@contextmanager
def _line(peer: PostgresPeer) -> Iterator[None]:
    """A relay before the server."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer.port = listening.getsockname()[1]
        relays: list[threading.Thread] = []
        accepting = threading.Thread(target=_accept, args=(listening, peer, relays))
        accepting.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            for relay in relays:
                relay.join()


def _accept(listening: socket.socket, peer: PostgresPeer, relays: list[threading.Thread]) -> None:
    with suppress(OSError):
        while True:
            client, _ = listening.accept()
            relays.append(threading.Thread(target=_relay, args=(client, peer)))
            relays[-1].start()


def _relay(client: socket.socket, peer: PostgresPeer) -> None:
    peer.held += 1
    with client, socket.create_connection(("127.0.0.1", peer.own_port)) as server, suppress(OSError):
        upward = threading.Thread(target=_pump, args=(client, server))
        upward.start()
        came = 0
        if peer.mischief.fault == "says nothing":
            peer.mischief.told.wait(20)
        while block := server.recv(65536):
            came += len(block)
            if came > peer.half and peer.mischief.fault == "hangs up half way":
                break
            if came > peer.half and peer.mischief.fault == "falls silent half way":
                peer.mischief.told.wait(20)
                break
            client.sendall(block)
        for line in (client, server):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        upward.join()
    peer.held -= 1


def _pump(source: socket.socket, into: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            into.sendall(block)
    with suppress(OSError):
        into.shutdown(socket.SHUT_WR)


@dataclass
class InDatabase:
    """changes   whether only rows that are new or other are read; then no rows are no file"""

    server: PostgresPeer
    changes: bool = False
    fault: str = ""

    def put(self, name: str, rows: Rows) -> None:
        with self.server.connect() as owner:
            owner.execute("drop table if exists libraries")
            owner.execute("create table libraries (id text, name text, number int)")
            with owner.cursor().copy("copy libraries from stdin") as copy:
                for number, (key, called) in enumerate(rows):
                    copy.write_row((key, called, number))

    def remove(self, name: str) -> None:
        with self.server.connect() as owner:
            owner.execute("delete from libraries")

    def rows(self, stream: BinaryIO) -> Rows:
        table = pq.read_table(io.BytesIO(stream.read()))
        return list(zip(table["id"].to_pylist(), table["name"].to_pylist(), strict=True))

    def connector(self, work: Path) -> Connector:
        self.server.mischief.fault = self.fault
        body: dict[str, Any] = {"changes": {"column": "number"}} if self.changes else {}
        if self.fault == "has no such table":
            body["table"] = "nowhere"
        if self.fault == "does not let us read":
            with self.server.connect() as owner:
                owner.execute("revoke select on libraries from reader")
        if self.fault == "does not encrypt":
            (work.parent / "authority.pem").touch()
            body["authority"] = "authority.pem"
        if self.fault == "holds what cannot be read":
            with self.server.connect() as owner:
                owner.execute("alter table libraries add column since date default 'infinity'")
        spec = sql_spec(self.server, work, secret="wrong" if self.fault == "does not let us in" else SECRET, **body)
        database = replace(
            spec.database,
            timeout_s=2 if self.fault == "says nothing" else 60,
            deadline_s=0.5 if self.fault == "falls silent half way" else 600,
            max_bytes=1000 if self.fault == "gives more than allowed" else 10_000_000,
            port=1 if self.fault == "is not there" else spec.database.port,
        )
        return replace(spec, database=database).connect(work)


def sql_spec(server: PostgresPeer, work: Path, *, secret: str = SECRET, **body: Any) -> SqlSpec:
    """A source as an operator writes it."""
    folder = work.parent / "secrets"
    folder.mkdir(exist_ok=True)
    (folder / "database").write_text(secret)
    told: dict[str, Any] = {"kind": "sql", "host": "127.0.0.1", "port": server.port, "database": DATABASE}
    told |= {"user": READER, "password": "database"}
    what = {} if "query" in body else {"table": "public.libraries"}
    return SqlBody.model_validate({**told, **what, **body}).to_spec(work.parent)
