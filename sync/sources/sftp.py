"""Files from a folder of an SFTP server.

On paramiko itself, and not on fsspec's filesystem over it: that one sets no time-out on its channel, reads ahead
without a bound, and cannot be stopped when a peer sends more than it said.
"""

import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Self

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from sync.errors import SourceDenied, SourceFaulty, SourceUnreachable, SourceUntrusted
from sync.sources.port import Offered
from sync.sources.sftp_blocks import read_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpServer:
    """Where an SFTP server is, how it is known, and who we are there.

    host_key   its public key: another server in its place is not spoken to
    path       the folder on it
    password   or `key`, our private key
    timeout_s  for each step: to connect, to log in, for an answer to come
    """

    host: str
    port: int
    user: str
    host_key: paramiko.PKey
    path: str
    password: str | None = field(default=None, repr=False)
    key: paramiko.PKey | None = field(default=None, repr=False)
    timeout_s: float = 30.0


AGAIN: Final = "try again later; if it stays so, ask the owner of the server"


class SftpFolder:
    """An open session. Raises SourceUnreachable, SourceDenied, SourceUntrusted and SourceFaulty, on entering too."""

    def __init__(self, server: SftpServer) -> None:
        self._server = server
        self._open = ExitStack()
        self._client: paramiko.SFTPClient

    def __enter__(self) -> Self:
        with ExitStack() as opening, _told("cannot be reached"):
            self._client = _connect(self._server, opening)
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def files(self) -> tuple[Offered, ...]:
        with _told("does not list the folder"):
            listed = self._client.listdir_attr(self._server.path)
        return tuple(_offered(each.filename, each) for each in listed if stat.S_ISREG(each.st_mode or stat.S_IFREG))

    def state(self, name: str) -> Offered:
        with _told("does not show a file"):
            return _offered(name, self._client.stat(self._path(name)))

    @contextmanager
    def blocks(self, offered: Offered) -> Iterator[Iterator[bytes]]:
        with _told("stopped in the middle of a file"), self._client.open(self._path(offered.name), "rb") as file:
            yield read_blocks(self._client, file, offered.size_bytes + 1)

    def _path(self, name: str) -> str:
        return f"{self._server.path.rstrip('/')}/{name}"


def _connect(server: SftpServer, opening: ExitStack) -> paramiko.SFTPClient:
    line = opening.enter_context(socket.create_connection((server.host, server.port), server.timeout_s))
    transport = paramiko.Transport(line)
    opening.callback(transport.close)
    transport.banner_timeout = transport.handshake_timeout = server.timeout_s
    transport.auth_timeout = transport.channel_timeout = server.timeout_s
    options = transport.get_security_options()
    # A server has several keys: ours is asked for first, and any other is then a mismatch, said in plain words.
    ours = [each for each in options.key_types if each == server.host_key.get_name() or _rsa(server.host_key, each)]
    options.key_types = (*ours, *(each for each in options.key_types if each not in ours))
    transport.start_client(timeout=server.timeout_s)
    if transport.get_remote_server_key().asbytes() != server.host_key.asbytes():
        raise SourceUntrusted(
            "the SFTP server has another host key than the source says",
            remedy="ask the owner of the server whether its key was renewed, and only then change host_key",
        )
    if server.key is not None:
        transport.auth_publickey(server.user, server.key)
    else:
        transport.auth_password(server.user, server.password or "", fallback=False)
    channel = transport.open_session(timeout=server.timeout_s)
    channel.settimeout(server.timeout_s)
    channel.invoke_subsystem("sftp")
    return opening.enter_context(paramiko.SFTPClient(channel))


def _rsa(key: paramiko.PKey, kind: str) -> bool:
    """Whether an RSA key signs with this algorithm (RFC 8332)."""
    return key.get_name() == "ssh-rsa" and kind.startswith("rsa-sha2-")


def _offered(name: str, state: paramiko.SFTPAttributes) -> Offered:
    size, modified = state.st_size or 0, state.st_mtime or 0
    return Offered(
        name=name, size_bytes=size, version=f"{size}-{modified}", modified=datetime.fromtimestamp(modified, UTC)
    )


@contextmanager
def _told(what: str) -> Iterator[None]:
    """What went wrong, in our words: the library's may hold paths and names."""
    try:
        yield
    except (paramiko.AuthenticationException, PermissionError):
        raise SourceDenied(
            "the SFTP server does not let us in",
            remedy="check the user and its password or key, and that the user may read the folder",
        ) from None
    except FileNotFoundError:
        raise SourceUnreachable(
            "the folder or a file of the source is gone from the SFTP server",
            remedy="check the path of the source, or let it be read again",
        ) from None
    except IncompatiblePeer:
        raise SourceFaulty(
            "the SFTP server knows no cipher or key type that is safe", remedy="have the server brought up to date"
        ) from None
    except (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError):
        raise SourceUnreachable(f"the SFTP server {what}", remedy=AGAIN) from None
    except ValueError:
        raise SourceFaulty(f"the SFTP server {what}: its answer cannot be read", remedy=AGAIN) from None
