"""An SFTP server that tests can spoil: one folder, one user."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.sftp import SFTP_FAILURE, SFTP_PERMISSION_DENIED

from tests.sync.connectors.peer import SECRET, Mischief

USER = "knudepunkt"


def new_key(path: Path) -> paramiko.PKey:
    private = Ed25519PrivateKey.generate()
    path.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    return paramiko.PKey.from_path(path)


@dataclass
class SftpPeer:
    """root        the folder shown, whatever path is asked for
    client_key   who may come in besides the user's password
    """

    port: int
    host_key: paramiko.PKey
    client_key: paramiko.PKey
    root: Path = Path("nowhere")
    mischief: Mischief = field(default_factory=Mischief)
    transports: list[paramiko.Transport] = field(default_factory=list)

    def hang_up(self) -> None:
        for transport in self.transports:
            transport.sock.close()

    def close(self) -> None:
        for transport in self.transports:
            transport.close()
        self.transports.clear()

    def connected(self) -> int:
        return sum(transport.is_active() for transport in self.transports)


class _Door(paramiko.ServerInterface):
    def __init__(self, peer: SftpPeer) -> None:
        self.peer = peer

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_auth_password(self, username: str, password: str) -> int:
        known = (username, password) == (USER, SECRET)
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == USER and key.asbytes() == self.peer.client_key.asbytes()
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class _Handle(paramiko.SFTPHandle):
    peer: SftpPeer
    readfile: Any

    def read(self, offset: int, length: int) -> Any:
        mischief = self.peer.mischief
        if offset and mischief.fault == "hangs up half way":
            self.peer.hang_up()
            return SFTP_FAILURE
        if offset and mischief.fault == "falls silent half way":
            mischief.told.wait(20)
            return SFTP_FAILURE
        if offset and mischief.fault == "fails half way":
            return SFTP_FAILURE
        if offset and mischief.fault == "changes the file while it is read":
            mischief.once()
        return super().read(offset, min(length, 1000) if mischief.fault == "gives less than asked" else length)


class _Files(paramiko.SFTPServerInterface):
    def __init__(self, server: paramiko.ServerInterface, *_: Any, peer: SftpPeer) -> None:
        super().__init__(server)
        self.peer = peer

    def _at(self, path: str) -> Path:
        return self.peer.root if path in {"/", ".", ""} else self.peer.root / path.rsplit("/", 1)[-1]

    def _attributes(self, path: Path) -> paramiko.SFTPAttributes:
        found = paramiko.SFTPAttributes.from_stat(path.stat(), path.name)
        found.st_size = (found.st_size or 0) + {
            "says that a file is longer than it is": 1000, "says that a file is shorter than it is": -1000,
        }.get(self.peer.mischief.fault, 0)  # fmt: skip
        return found

    def list_folder(self, path: str) -> Any:
        if self.peer.mischief.fault == "says nothing":
            self.peer.mischief.told.wait(20)
        if self.peer.mischief.fault == "hides the folder":
            return SFTP_PERMISSION_DENIED
        try:
            return [self._attributes(each) for each in self._at(path).iterdir()]
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)

    def stat(self, path: str) -> Any:
        try:
            return self._attributes(self._at(path))
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)

    lstat = stat

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> Any:
        try:
            stream = os.fdopen(os.open(self._at(path), os.O_RDONLY), "rb")
        except OSError as problem:
            return paramiko.SFTPServer.convert_errno(problem.errno or 0)
        handle = _Handle(flags)
        handle.peer, handle.readfile = self.peer, stream
        return handle


@contextmanager
def serve_sftp(folder: Path) -> Iterator[SftpPeer]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        peer = SftpPeer(listening.getsockname()[1], new_key(folder / "host_key"), new_key(folder / "client_key"))
        accepting = threading.Thread(target=_accept, args=(listening, peer))
        accepting.start()
        try:
            yield peer
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()
            peer.close()


def _accept(listening: socket.socket, peer: SftpPeer) -> None:
    with suppress(OSError):
        while True:
            transport = paramiko.Transport(listening.accept()[0])
            transport.add_server_key(peer.host_key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, _Files, peer=peer)
            peer.transports.append(transport)
            with suppress(paramiko.SSHException, EOFError):
                transport.start_server(event=threading.Event(), server=_Door(peer))
