"""A real PostgreSQL server for one test session, and a line to it that tests can spoil."""

import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from tests.sync.connectors.peer import SECRET, Mischief

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
        for _ in range(200):
            if not self.held:
                return True
            threading.Event().wait(0.01)
        return False

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
            _wait_for(peer)
            with peer.connect() as owner:
                owner.execute(f"create role reader login password '{SECRET}'")
            peer.reset()
            with _line(peer):
                yield peer
        finally:
            server.terminate()
            server.wait(30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def _wait_for(peer: PostgresPeer) -> None:
    for _ in range(600):
        with suppress(psycopg.OperationalError):
            peer.connect().close()
            return
        threading.Event().wait(0.05)
    raise RuntimeError("PostgreSQL did not start within 30 s")


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
