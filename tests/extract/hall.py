"""An SFTP server on a free port, with shelves, and what it noted."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from extract import Exchange, ExchangeSettings, ExtractPlan, ExtractStore, SftpServer, SftpSettings, Shelf
from extract.exchange.sending import Sending
from kernel import CallAnswered, Caller, CallRefused, Grant, NotIdentified, Observation, RowsDelivered, SystemId
from tests.extract.conftest import Source

NOW = datetime(2031, 3, 10, 8, 0, tzinfo=UTC)
Fact = TypeVar("Fact", CallAnswered, CallRefused, RowsDelivered)


class KeyUnknown(NotIdentified):
    code = "ssh_key_unknown"


class StoppedClock:
    def now(self) -> datetime:
        return NOW


def new_key(path: Path) -> paramiko.Ed25519Key:
    private = Ed25519PrivateKey.generate()
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    return paramiko.Ed25519Key.from_private_key_file(str(path))


def fingerprint(key: paramiko.PKey) -> str:
    return hashlib.sha256(key.asbytes()).hexdigest()


@dataclass
class Hall:
    """keys      fingerprint -> system; `grants` are all that are in force
    facts        what was observed, in order; `deaf` makes the ledger fail
    """

    folder: Path
    store: ExtractStore
    shelf: Shelf
    port: int = 0
    keys: dict[str, str] = field(default_factory=dict)
    grants: list[Grant] = field(default_factory=list)
    facts: list[Observation] = field(default_factory=list)
    deaf: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    servers: list[SftpServer] = field(default_factory=list)
    exchange: Exchange | None = None

    @property
    def key_file(self) -> Path:
        return self.folder / "client_key"

    def observe(self, fact: Observation) -> None:
        if self.deaf:
            raise LedgerFull("the ledger's disk is full")
        self.facts.append(fact)

    def of(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def authenticate(self, fingerprint: str) -> Caller:
        if fingerprint not in self.keys:
            raise KeyUnknown("the SSH key is bound to no system here")
        system = self.keys[fingerprint]
        return Caller(system=SystemId(system), name=system, organisation_cvr="22222222", credential=fingerprint)

    def grants_of(self, system: SystemId) -> tuple[Grant, ...]:
        return tuple(grant for grant in self.grants if grant.system == system)

    def system_of(self, user: str) -> SystemId | None:
        return SystemId(user) if user in self.keys.values() else None

    def sending(self) -> Sending:
        """What the server does with triggers, to do again what it did not get to."""
        assert self.exchange is not None
        return Sending(self.exchange, self.system_of, self.grants_of, self.observe)

    def allow(self, grant: Grant, *plans: ExtractPlan) -> None:
        """Put a grant in force, with extracts on its shelf."""
        self.grants.append(grant)
        for plan in plans:
            extract = self.store.open(replace(plan, service=grant.service))
            for _ in extract.chunks():
                pass
            self.shelf.put(grant.agreement, extract)

    def connections(self) -> list[int]:
        """How many each server holds."""
        return [each.connections for each in self.servers]

    def connect(self, key: paramiko.PKey | None = None) -> paramiko.Transport:
        transport = paramiko.Transport(socket.create_connection(("127.0.0.1", self.port)))
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = 60
        transport.connect(username="anyone", pkey=key or paramiko.Ed25519Key.from_private_key_file(str(self.key_file)))
        return transport

    @contextmanager
    def client(self, key: paramiko.PKey | None = None) -> Iterator[paramiko.SFTPClient]:
        transport = self.connect(key)
        try:
            client = paramiko.SFTPClient.from_transport(transport)
            assert client is not None
            yield client
        finally:
            transport.close()


class LedgerFull(OSError):
    """Not one of ours: what a room below may raise when it is out of luck."""


@contextmanager
def open_hall(
    folder: Path,
    source: Source,
    settings: SftpSettings | None = None,
    *,
    workers: int = 1,
    exchange: ExchangeSettings | None = None,
    keep_host_key: bool = False,
) -> Iterator[Hall]:
    """workers    servers that share the port
    exchange   whether there is one; SFTP users are named as their systems
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not keep_host_key:
        new_key(folder / "host_key")
    with (
        ExtractStore(folder / "files", source.scan) as store,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        hall = Hall(folder, store, Shelf(folder / "agreements"), port=listening.getsockname()[1])
        hall.keys[fingerprint(new_key(hall.key_file))] = "system-1"
        if exchange is not None:
            hall.exchange = Exchange(folder / "exchange", str, StoppedClock(), exchange)
        hall.servers = [
            SftpServer(
                host_key=folder / "host_key",
                shelf=hall.shelf,
                authenticate=hall.authenticate,
                grants_of=hall.grants_of,
                observe=hall.observe,
                clock=StoppedClock(),
                settings=settings or SftpSettings(grace_s=60),
                exchange=hall.exchange,
                system_of=hall.system_of,
            )
            for _ in range(workers)
        ]
        serving = [threading.Thread(target=each.serve, args=(listening, hall.stop)) for each in hall.servers]
        for each in serving:
            each.start()
        try:
            yield hall
        finally:
            hall.stop.set()
            for each in serving:
                each.join()
