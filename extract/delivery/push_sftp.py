"""A parcel to an SFTP server: written under another name, checked, renamed, its manifest beside it, its trigger last.

An attempt that was cut is gone on with. The bytes that the server has are read back and compared with ours before
anything is added to them: a length alone does not say that they are the same.
"""

import hashlib
import posixpath
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO, Final

import paramiko
from paramiko.sftp_attr import SFTPAttributes
from paramiko.ssh_exception import IncompatiblePeer

from extract.delivery.faults import TargetDenied, TargetFaulty, TargetUnreachable, TargetUntrusted
from extract.delivery.manifest import MANIFEST, SIGNATURE
from extract.delivery.parcel import Handover, Parcel
from extract.delivery.push_documents import last_words
from extract.delivery.push_pipeline import read_ahead, write_ahead
from extract.delivery.ssh_keys import public_key
from extract.delivery.targets import Reach, SftpTarget
from extract.exchange.names import RECEIPT

WINDOW_BYTES: Final = 64 * 1024 * 1024
CIPHERS: Final = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
AGAIN: Final = "if it stays so, ask the owner of the server"


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpSender:
    """key         ours; its public half must be known to the server
    timeout_s   for each step
    """

    target: SftpTarget
    key: paramiko.PKey
    reach: Reach
    timeout_s: float = 30.0

    @property
    def carries(self) -> bool:
        return True

    def send(self, parcel: Parcel, handover: Handover) -> bool:
        """Raises TargetUnreachable, TargetDenied, TargetUntrusted, TargetFaulty, TargetRefused. Confirmed by none."""
        with in_our_words(), ExitStack() as opening:
            sftp = connect(self.target, self.key, self.reach, self.timeout_s, opening)
            _Sending(sftp, self.target, parcel, handover).run()
        return False


@dataclass(frozen=True, slots=True)
class _Sending:
    sftp: paramiko.SFTPClient
    target: SftpTarget
    parcel: Parcel
    handover: Handover

    def run(self) -> None:
        if self.handover.placed and self._committed():
            return
        if not (self.handover.placed and self._whole(self._file)):
            self._upload()
        if self.target.trigger == "none":
            # The name is what tells the receiver, so everything else comes before it.
            self._describe()
            self.handover.place()
            self._rename(self._part, self._file)
            return
        self._rename_if_there(self._part, self._file)
        self._describe()
        self.handover.alive()
        if not self.handover.placed:
            self._clear_receipt()
        self.handover.place()
        self._write(self._trigger, last_words(self.target, self.parcel))

    def _committed(self) -> bool:
        """Whether the last act of an earlier attempt was done. A receiver may have taken everything away since."""
        if self.target.trigger == "none":
            return self._size(self._part) is None
        return self._size(self._trigger) is not None or self._size(self._file) is None

    def _whole(self, path: str) -> bool:
        return self._size(path) == self.parcel.size_bytes and self._hash(path, self.parcel.size_bytes) == _hex(
            self.parcel.sha256
        )

    def _upload(self) -> None:
        """The whole file under the name of its part, checked."""
        parcel = self.parcel
        with parcel.path.open("rb") as ours:
            start = self._same_so_far(ours)
            ours.seek(start)
            with self.sftp.open(self._part, "r+b" if start else "wb") as theirs:
                write_ahead(self.sftp, theirs, ours, start, parcel.size_bytes, self.handover.alive)
                moment = int(parcel.published.timestamp())
                with suppress(OSError):
                    # A server that keeps times of its own keeps the file all the same.
                    theirs.utime((moment, moment))
        if self._size(self._part) != parcel.size_bytes:
            raise TargetFaulty("the server has another number of bytes than it was sent", remedy=AGAIN)

    def _same_so_far(self, ours: BinaryIO) -> int:
        """How many bytes the server has that are ours, from the beginning: all that it has, or none."""
        there = self._size(self._part)
        if not there or there > self.parcel.size_bytes:
            return 0
        digest = hashlib.sha256()
        left = there
        while left:
            piece = ours.read(min(left, 1 << 20))
            if not piece:
                return 0
            digest.update(piece)
            left -= len(piece)
        return there if self._hash(self._part, there) == digest.digest() else 0

    def _hash(self, path: str, size_bytes: int) -> bytes:
        """SHA-256 of what the server has, read back."""
        digest = hashlib.sha256()
        with self.sftp.open(path, "rb") as theirs:
            for piece in read_ahead(self.sftp, theirs, size_bytes, self.handover.alive):
                digest.update(piece)
        return digest.digest()

    def _describe(self) -> None:
        if not self.target.manifest:
            return
        self._write(self._manifest, self.parcel.manifest)
        if self.parcel.signature is not None:
            self._write(f"{self._file}{SIGNATURE}", self.parcel.signature)

    def _clear_receipt(self) -> None:
        """A receipt for what lay there before under this name is none for this."""
        if self.target.receipts:
            with suppress(FileNotFoundError):
                self.sftp.remove(posixpath.join(self.target.receipts, f"{self.parcel.name}{RECEIPT}"))

    def _write(self, path: str, content: bytes) -> None:
        """A small file, there whole or not at all."""
        part = f"{path}.part"
        with self.sftp.open(part, "wb") as file:
            file.write(content)
        self._rename(part, path)

    def _rename_if_there(self, old: str, new: str) -> None:
        if self._size(old) is not None:
            self._rename(old, new)

    def _rename(self, old: str, new: str) -> None:
        try:
            self.sftp.posix_rename(old, new)
        except OSError:
            # A server without that extension: its own rename never replaces, so what is in the way goes first.
            with suppress(OSError):
                self.sftp.remove(new)
            self.sftp.rename(old, new)

    def _size(self, path: str) -> int | None:
        try:
            found: SFTPAttributes = self.sftp.stat(path)
        except FileNotFoundError:
            return None
        if found.st_mode is not None and not stat.S_ISREG(found.st_mode):
            raise TargetFaulty("the server has something else than a file under the name of the delivery", remedy=AGAIN)
        return found.st_size or 0

    @property
    def _file(self) -> str:
        return posixpath.join(self.target.folder, self.parcel.name)

    @property
    def _part(self) -> str:
        # With a piece of the hash: what was half sent of other bytes is not gone on with. Not hidden in the established
        # exchange, where no name begins with a dot and nothing is seen without its trigger.
        hidden = "." if self.target.document == "sum" else ""
        return posixpath.join(self.target.folder, f"{hidden}{self.parcel.name}.{self.parcel.sha256[:8]}.part")

    @property
    def _manifest(self) -> str:
        return f"{self._file}{MANIFEST}"

    @property
    def _trigger(self) -> str:
        return f"{self._file}.{self.target.trigger}"


def connect(
    target: SftpTarget, key: paramiko.PKey, reach: Reach, timeout_s: float, opening: ExitStack
) -> paramiko.SFTPClient:
    """A session with the server, its host key compared before we show who we are."""
    line = opening.enter_context(reach.connect(target.host, target.port, timeout_s))
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(line, default_window_size=WINDOW_BYTES)
    opening.callback(transport.close)
    transport.banner_timeout = transport.handshake_timeout = timeout_s
    transport.auth_timeout = transport.channel_timeout = timeout_s
    pinned = public_key(target.host_key)
    options = transport.get_security_options()
    options.ciphers = (*CIPHERS, *(each for each in options.ciphers if each not in CIPHERS))
    # A server has several keys: ours is asked for first, and any other is then a mismatch.
    ours = [each for each in options.key_types if each == pinned.get_name() or _rsa(pinned, each)]
    options.key_types = (*ours, *(each for each in options.key_types if each not in ours))
    transport.start_client(timeout=timeout_s)
    if transport.get_remote_server_key().asbytes() != pinned.asbytes():
        raise TargetUntrusted(
            "the SFTP server has another host key than the subscription says",
            remedy="ask its owner whether the key was renewed, and only then add a subscription with the new one",
            rule="target.host_key",
        )
    transport.auth_publickey(target.user, key)
    channel = transport.open_session(window_size=WINDOW_BYTES, timeout=timeout_s)
    channel.settimeout(timeout_s)
    channel.invoke_subsystem("sftp")
    return opening.enter_context(paramiko.SFTPClient(channel))


def _rsa(key: paramiko.PKey, kind: str) -> bool:
    return key.get_name() == "ssh-rsa" and kind.startswith("rsa-sha2-")


def _hex(text: str) -> bytes:
    return bytes.fromhex(text)


@contextmanager
def in_our_words() -> Iterator[None]:
    """What went wrong, in our words: the library's may hold paths and names."""
    try:
        yield
    except paramiko.AuthenticationException:
        raise TargetDenied(
            "the SFTP server does not let us in",
            remedy="have the platform's public key (`knudepunkt subscription key`) put on the user's list",
        ) from None
    except PermissionError:
        raise TargetDenied(
            "the SFTP server does not let us write", remedy="check the folder of the target and who may write there"
        ) from None
    except FileNotFoundError:
        raise TargetFaulty("the folder of the target is not there", remedy="check the folder of the target") from None
    except IncompatiblePeer:
        raise TargetFaulty(
            "the SFTP server knows no cipher or key type that is safe", remedy="have the server brought up to date"
        ) from None
    except (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError):
        raise TargetUnreachable("the SFTP server stopped in the middle", remedy=AGAIN) from None
