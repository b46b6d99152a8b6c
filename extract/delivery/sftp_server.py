"""The SFTP server: consumer systems fetch their extracts, known by their SSH keys.

Only the sftp subsystem; no shell, no command, no forwarding, no agent. AES-GCM is offered first, since it is the fastest that both sides have (a client's
own order decides). Signatures with SHA-1 are not accepted.
"""

import hashlib
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import paramiko
import structlog
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from extract.delivery.sftp_session import ReadOnlyFiles, Session
from extract.delivery.sftp_tree import Tree
from extract.delivery.shelf import Shelf
from extract.settings import SftpSettings
from kernel import (
    Caller,
    CallRefused,
    Channel,
    Clock,
    Grant,
    NotIdentified,
    Observe,
    SystemId,
    new_event_id,
    new_trace_id,
)

_log = structlog.get_logger(__name__)

CIPHERS: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr", "aes128-ctr")
ATTEMPTS: Final = 6

Authenticate = Callable[[str], Caller]
"""SHA-256 of the public key's blob, hex -> the system it speaks for. Raises NotIdentified."""
GrantsOf = Callable[[SystemId], tuple[Grant, ...]]


class SftpServer:
    def __init__(
        self,
        *,
        host_key: Path,
        shelf: Shelf,
        authenticate: Authenticate,
        grants_of: GrantsOf,
        observe: Observe,
        clock: Clock,
        settings: SftpSettings,
    ) -> None:
        self._host_key = paramiko.Ed25519Key.from_private_key_file(str(host_key))
        self._shelf, self._authenticate, self._grants_of = shelf, authenticate, grants_of
        self._observe, self._clock, self._settings = observe, clock, settings
        self._connections: list[_Connection] = []
        self._changing = threading.Lock()

    def serve(self, listening: socket.socket, stop: threading.Event) -> None:
        """Answer connections until `stop` is set; then let running transfers end, for as long as `grace_s`."""
        listening.settimeout(0.2)
        while not stop.is_set():
            self._sweep()
            try:
                client, address = listening.accept()
            except TimeoutError:
                continue
            except OSError:
                if stop.is_set():
                    break
                raise
            if len(self._connections) >= self._settings.connections:
                _log.warning("sftp_full", connections=len(self._connections))
                client.close()
                continue
            connection = _Connection(self, client, f"{address[0]}")
            with self._changing:
                self._connections.append(connection)
            connection.start()
        deadline = time.monotonic() + self._settings.grace_s
        while any(each.busy for each in self._connections) and time.monotonic() < deadline:
            time.sleep(0.1)
        for each in list(self._connections):
            each.close()

    def _sweep(self) -> None:
        """Close what is idle or never proved who it is; forget what has ended."""
        now = time.monotonic()
        with self._changing:
            for each in self._connections:
                if each.overdue(now, self._settings):
                    each.close()
            self._connections = [each for each in self._connections if each.alive]

    def session_for(self, caller: Caller) -> Session:
        tree = Tree(self._shelf, lambda: self._grants_of(caller.system))
        return Session(caller, tree, self._observe, self._clock)

    def identify(self, fingerprint: str, peer: str) -> Caller | None:
        """The system of a key; a refusal is in the ledger before the client hears of it."""
        try:
            return self._authenticate(fingerprint)
        except NotIdentified as refusal:
            self._observe(
                CallRefused(
                    event=new_event_id(),
                    at=self._clock.now(),
                    trace=new_trace_id(),
                    channel=Channel.SFTP,
                    code=refusal.code,
                    status=refusal.status,
                    reason=refusal.message,
                    credential=fingerprint,
                    peer=peer,
                )
            )
            return None

    def transport_for(self, client: socket.socket) -> paramiko.Transport:
        # No agent, no GSS; SHA-1 signatures are refused by leaving ssh-rsa out of the accepted algorithms.
        transport = paramiko.Transport(client, disabled_algorithms={"pubkeys": ["ssh-rsa"], "keys": ["ssh-rsa"]})
        known = transport.get_security_options().ciphers
        transport.get_security_options().ciphers = [name for name in CIPHERS if name in known]
        transport.add_server_key(self._host_key)
        return transport


class _Connection(threading.Thread):
    def __init__(self, server: SftpServer, client: socket.socket, peer: str) -> None:
        super().__init__(name="sftp-connection", daemon=True)
        self._server, self._client = server, client
        self._door = _Door(server, peer)
        self._began = time.monotonic()
        self._transport: paramiko.Transport | None = None
        self._ended = False

    def run(self) -> None:
        try:
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = self._server.transport_for(self._client)
            self._transport = transport
            # The door is asked again when the subsystem starts, since only then is it known who is there.
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, ReadOnlyFiles, session=self._door.session)
            transport.start_server(server=self._door)
            while transport.is_active():
                transport.join(0.5)
        except (paramiko.SSHException, EOFError, OSError) as error:
            # Port scanners and clients that give up are everyday; they are not our fault.
            _log.info("sftp_connection_ended", reason=type(error).__name__)
        finally:
            self._ended = True
            self._client.close()

    @property
    def alive(self) -> bool:
        return not self._ended

    @property
    def busy(self) -> bool:
        return self.alive and self._door.known is not None and self._door.known.open_files > 0

    def overdue(self, now: float, settings: SftpSettings) -> bool:
        if self._door.known is None:
            return now - self._began > settings.login_s
        return now - self._door.known.active > settings.idle_s

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._client.close()


class _Door(paramiko.ServerInterface):
    """Who may come in: the owner of a bound key, for the sftp subsystem."""

    def __init__(self, server: SftpServer, peer: str) -> None:
        self._server, self._peer = server, peer
        self._attempts = 0
        self.known: Session | None = None

    def session(self) -> Session:
        if self.known is None:
            raise paramiko.SSHException("a session before the key")
        return self.known

    def get_allowed_auths(self, _: str) -> str:
        return "publickey"

    def check_auth_publickey(self, _: str, key: paramiko.PKey) -> int:
        """The key alone decides; the user name is not looked at."""
        self._attempts += 1
        if self._attempts > ATTEMPTS:
            return AUTH_FAILED
        caller = self._server.identify(hashlib.sha256(key.asbytes()).hexdigest(), self._peer)
        if caller is None:
            return AUTH_FAILED
        # Asked for each key that the client offers, before it proves to hold it; the last one asked is the one proved.
        self.known = self._server.session_for(caller)
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, _: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        return name == "sftp" and bool(super().check_channel_subsystem_request(channel, name))

    def check_channel_env_request(self, *_: Any) -> bool:
        return False
