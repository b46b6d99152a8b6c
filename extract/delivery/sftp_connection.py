"""One SSH connection: who may come in, and for what. Public keys only, the sftp subsystem only."""

import hashlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import paramiko
import structlog
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)

from extract.delivery.sftp_exchange import ExchangeFiles, children, place
from extract.delivery.sftp_session import Places, Session
from extract.delivery.sftp_subsystem import Subsystem
from extract.delivery.sftp_transfer import Transfer
from extract.delivery.sftp_tree import Tree
from extract.delivery.sftp_wire import Wire
from extract.delivery.shelf import Shelf
from extract.errors import SshKeyNotProved, SshMethodRefused, told
from extract.exchange.desk import Desk
from extract.exchange.sending import Sending
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
"""GCM first: the fastest that both sides have. A client's own order decides, though (RFC 4253, 7.1)."""
MACS: Final = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
WINDOW_BYTES: Final = 4 * 1024 * 1024
PACKET_BYTES: Final = 128 * 1024
"""How much a client may send ahead, and in one packet: twice and four times what paramiko has by itself."""
CHANNELS: Final = 10
"""In one connection, at once; as many as OpenSSH's MaxSessions."""

Authenticate = Callable[[str], Caller]
"""SHA-256 of the public key's blob, lower-case hex -> the system it speaks for. Raises NotIdentified."""
GrantsOf = Callable[[SystemId], tuple[Grant, ...]]
"""The permissions of a system that are in force now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """What every connection is given."""

    host_key: paramiko.PKey
    shelf: Shelf
    authenticate: Authenticate
    grants_of: GrantsOf
    observe: Observe
    clock: Clock
    settings: SftpSettings
    sending: Sending | None = None

    def session(self, caller: Caller, fingerprint: str) -> Session:
        def grants() -> tuple[Grant, ...]:
            return self._grants(fingerprint)

        desk = None if self.sending is None else Desk(self.sending.exchange, self.sending, caller, grants)
        tree = Tree(self.shelf, grants)
        return Session(caller, tree, self.observe, self.clock, desk=desk, places=Places(place, children))

    def refuse(self, refusal: NotIdentified, peer: str, fingerprint: str | None) -> None:
        """Enter a refused login in the ledger; the client hears of it after that."""
        self.observe(
            CallRefused(
                event=new_event_id(),
                at=self.clock.now(),
                trace=new_trace_id(),
                channel=Channel.SFTP,
                code=refusal.code,
                status=refusal.status,
                reason=refusal.message,
                credential=fingerprint,
                peer=peer,
            )
        )

    def _grants(self, fingerprint: str) -> tuple[Grant, ...]:
        # The key is asked about too: when it is revoked, what its open sessions see is gone as well.
        try:
            return self.grants_of(self.authenticate(fingerprint).system)
        except NotIdentified:
            return ()


class Connection(threading.Thread):
    def __init__(self, reception: Reception, client: socket.socket, peer: str) -> None:
        super().__init__(name="sftp-connection", daemon=True)
        self.peer = peer
        self._reception, self._client = reception, client
        self._door = _Door(reception, peer, self.close)
        self._began = time.monotonic()
        self._transport: paramiko.Transport | None = None
        self._ended = False

    def run(self) -> None:
        try:
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._transport = transport = self._made()
            transport.start_server(server=self._door)
            while transport.is_active():
                transport.join(0.5)
        except (paramiko.SSHException, EOFError, OSError) as error:
            # Port scanners and clients that give up are everyday; they are not our fault.
            _log.info("sftp_connection_ended", reason=type(error).__name__)
        finally:
            try:
                self._door.gone(proved=self.proved)
                self.close()
            except Exception as error:
                _log.error("sftp_connection_not_ended_well", **told(error))
            self._ended = True

    def _made(self) -> paramiko.Transport:
        # paramiko speaks no DSA and makes no SHA-1 signature any more (5.x); nor do we let SHA-1 or MD5 guard the
        # packets.
        transport = paramiko.Transport(
            self._client, default_window_size=WINDOW_BYTES, default_max_packet_size=PACKET_BYTES, packetizer_class=Wire
        )
        options = transport.get_security_options()
        options.ciphers, options.digests = CIPHERS, MACS
        transport.add_server_key(self._reception.host_key)
        # Who is there is known when the subsystem starts, not now.
        transport.set_subsystem_handler("sftp", Subsystem, ExchangeFiles, session=self._door.session, transfer=Transfer)
        return transport

    @property
    def alive(self) -> bool:
        return not self._ended

    @property
    def proved(self) -> bool:
        """Whether the client has shown that it holds its key; to name a bound one is not enough."""
        # Asked of the handler, since the transport forgets when it ends.
        handler = None if self._transport is None else self._transport.auth_handler
        return handler is not None and bool(handler.is_authenticated())

    @property
    def busy(self) -> bool:
        return self.alive and self._door.open_files > 0

    def overdue(self, now: float) -> bool:
        settings = self._reception.settings
        if not self.proved:
            return now - self._began > settings.login_s
        return now - max(self._began, self._door.active) > settings.idle_s

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        self._client.close()


class _Door(paramiko.ServerInterface):
    """Answers what paramiko asks about a client. What it does not answer here is refused by the class above: shells,
    commands, terminals, forwarding of ports, agents and X11."""

    def __init__(self, reception: Reception, peer: str, hang_up: Callable[[], None]) -> None:
        self._reception, self._peer, self._hang_up = reception, peer, hang_up
        self._in_vain = 0
        self._named: tuple[Caller, str] | None = None
        self._sessions: list[Session] = []
        self._channels = 0

    @property
    def open_files(self) -> int:
        return sum(each.open_files for each in self._sessions)

    @property
    def active(self) -> float:
        return max((each.active for each in self._sessions), default=0.0)

    def session(self) -> Session:
        """What a new channel works with. Channels open only to clients that have proved their key, the last one that
        they named.
        """
        if self._named is None:
            raise paramiko.SSHException("a session before a key")
        made = self._reception.session(*self._named)
        self._sessions.append(made)
        return made

    def gone(self, *, proved: bool) -> None:
        if self._named is not None and not proved:
            refusal = SshKeyNotProved("the client named a bound key and did not prove that it holds it")
            self._reception.refuse(refusal, self._peer, self._named[1])

    def get_allowed_auths(self, _: str) -> str:
        return "publickey"

    def check_auth_password(self, _: str, __: str) -> int:
        return self._refused(SshMethodRefused("passwords are not accepted"), None)

    def check_auth_publickey(self, _: str, key: paramiko.PKey) -> int:
        """The key alone decides; the user name is not looked at.

        Asked for each key that the client names, and again when it proves that it holds it: paramiko checks the proof
        after this.
        """
        fingerprint = hashlib.sha256(key.asbytes()).hexdigest()
        try:
            self._named = self._reception.authenticate(fingerprint), fingerprint
        except NotIdentified as refusal:
            return self._refused(refusal, fingerprint)
        return AUTH_SUCCESSFUL

    def _refused(self, refusal: NotIdentified, fingerprint: str | None) -> int:
        self._named = None
        self._reception.refuse(refusal, self._peer, fingerprint)
        self._in_vain += 1
        if self._in_vain >= self._reception.settings.attempts:
            self._hang_up()
        return AUTH_FAILED

    def check_channel_request(self, kind: str, _: int) -> int:
        self._channels -= sum(each.ended for each in self._sessions)
        self._sessions = [each for each in self._sessions if not each.ended]
        if kind != "session" or self._channels >= CHANNELS:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        self._channels += 1
        return OPEN_SUCCEEDED

    def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
        return name == "sftp" and bool(super().check_channel_subsystem_request(channel, name))

    def check_channel_env_request(self, *_: Any) -> bool:
        return False
