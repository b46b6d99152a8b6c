"""The SFTP server: consumer systems fetch their extracts, known by their SSH keys.

One listening socket, a few threads per connection. Limits on connections, logins, attempts and idle time are in
SftpSettings.
"""

import select
import socket
import threading
import time
from pathlib import Path
from typing import Final

import paramiko
import structlog

from extract.delivery.sftp_connection import Authenticate, Connection, GrantsOf, Reception
from extract.delivery.shelf import Shelf
from extract.exchange import Exchange
from extract.exchange.keeping import keep_house
from extract.exchange.sending import Sending, SystemOf
from extract.settings import SftpSettings
from kernel import Clock, Observe

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S: Final = 0.1
_SHARE_S: Final = 0.002


class SftpServer:
    """host_key      file with an Ed25519 key in OpenSSH's format
    authenticate     raises NotIdentified for a key that speaks for nobody
    grants_of        asked at every step of every session
    observe          keeps a fact, or raises: then no byte leaves
    exchange         IN and OUT of every system; `system_of` finds the system of an SFTP user
    """

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
        exchange: Exchange | None = None,
        system_of: SystemOf = lambda _: None,
    ) -> None:
        self._settings = settings
        self._connections: list[Connection] = []
        self._reception = Reception(
            host_key=paramiko.Ed25519Key.from_private_key_file(str(host_key)),
            shelf=shelf,
            authenticate=authenticate,
            grants_of=grants_of,
            observe=observe,
            clock=clock,
            settings=settings,
            sending=None if exchange is None else Sending(exchange, system_of, grants_of, observe),
        )

    @property
    def connections(self) -> int:
        """Held now."""
        return len(self._connections)

    def serve(self, listening: socket.socket, stop: threading.Event) -> None:
        """Answer connections until `stop` is set; then let running transfers end, for as long as `grace_s`, and
        return.
        """
        with keep_house(self._reception.sending, stop):
            self._serve(listening, stop)

    def _serve(self, listening: socket.socket, stop: threading.Event) -> None:
        connections: list[Connection] = []
        self._connections = connections
        listening.settimeout(_LOOK_EVERY_S)
        while not stop.is_set():
            self._connections = connections = self._kept(connections)
            try:
                if connections:
                    self._let_others(listening, len(connections))
                client, address = listening.accept()
            except TimeoutError:
                continue
            except OSError as error:
                if stop.is_set():
                    break
                # Out of file handles, or a client that left before it was let in: the next one may fare better.
                _log.warning("sftp_not_accepted", reason=type(error).__name__)
                time.sleep(_LOOK_EVERY_S)
                continue
            peer = str(address[0])
            if self._full(connections, peer):
                client.close()
                continue
            connection = Connection(self._reception, client, peer)
            connections.append(connection)
            connection.start()
        self._finish(connections)

    @staticmethod
    def _let_others(listening: socket.socket, connections: int) -> None:
        """Workers share the socket, and whoever wakes up first takes a connection. The more one has, the later it
        looks, so that connections spread over the workers.
        """
        if select.select([listening], [], [], _LOOK_EVERY_S)[0]:
            time.sleep(min(connections, 10) * _SHARE_S)

    def _full(self, connections: list[Connection], peer: str) -> bool:
        settings, waiting = self._settings, [each.peer for each in connections if not each.proved]
        full = len(connections) >= settings.connections or len(waiting) >= settings.logins
        if full:
            _log.warning("sftp_full", connections=len(connections), logins=len(waiting))
        elif waiting.count(peer) >= settings.address_logins:
            full = True
            _log.warning("sftp_address_full", logins=waiting.count(peer))
        return full

    def _kept(self, connections: list[Connection]) -> list[Connection]:
        """Close those that are idle or never proved who they are; forget those that have ended."""
        now = time.monotonic()
        for each in connections:
            if each.overdue(now):
                each.close()
        return [each for each in connections if each.alive]

    def _finish(self, connections: list[Connection]) -> None:
        deadline = time.monotonic() + self._settings.grace_s
        while any(each.busy for each in connections) and time.monotonic() < deadline:
            time.sleep(0.05)
        for each in connections:
            each.close()
        # What was cut is entered in the ledger by the connection's own threads; the ledger closes after us.
        for each in connections:
            each.join(5.0)
