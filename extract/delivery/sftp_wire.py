"""SSH packets at the speed of the cipher.

paramiko builds, encrypts and sends each packet of 32 KB by itself, and asks the kernel twice for each that it
receives. Here a whole answer to a read is cut into packets, encrypted into one buffer (AES-GCM) and sent by one call;
and what has arrived is taken in one piece. The bytes on the wire are the same.

It leans on names that are paramiko's own: its version is locked, and the tests of the SFTP server fail when they
change.
"""

import os
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import paramiko
from paramiko.message import Message
from paramiko.packet import NeedRekeyException, Packetizer

READ_AHEAD_BYTES: Final = 128 * 1024
LONGEST_PACKET: Final = 512 * 1024
"""Of a packet that a client sends. Its length comes before anything proves who sends it."""
_CHANNEL_DATA: Final = 94
_HEAD: Final = struct.Struct(">BBII")
_LENGTH: Final = struct.Struct(">I")
_TAG_BYTES: Final = 16
_ROOM: Final = 4 + _HEAD.size + 32 + _TAG_BYTES
"""For a packet beside its data: length, head, padding, tag."""


@dataclass(slots=True)
class Pieces:
    """Data of one channel, and the sizes of the packets that its window has room for."""

    channel: int
    data: memoryview
    sizes: Sequence[int]

    def messages(self) -> list[Message]:
        """One at a time, as paramiko sends them."""
        made, at = [], 0
        for size in self.sizes:
            message = Message()
            message.add_byte(bytes((_CHANNEL_DATA,)))
            message.add_int(self.channel)
            message.add_string(bytes(self.data[at : at + size]))
            made.append(message)
            at += size
        return made


class Wire(Packetizer):
    """One connection's packets. `send_message` takes Pieces too."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._sock = sock
        self._ahead, self._at = b"", 0
        self._plain, self._out = bytearray(), bytearray()

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:
        """The next `n` bytes. Raises EOFError at the end, NeedRekeyException as paramiko's, SSHException for a packet
        that is too long.
        """
        if n > LONGEST_PACKET:
            raise paramiko.SSHException("a packet that is too long")
        start, self._at = self._at, self._at + n
        if self._at <= len(self._ahead):
            return self._ahead[start : self._at]
        pieces = [self._ahead[start:], self._left_of_banner()]
        self._ahead, self._at = b"", 0
        missing = n - sum(map(len, pieces))
        while missing > 0:
            piece = self._received(max(missing, READ_AHEAD_BYTES))
            if piece is not None:
                pieces.append(piece)
                missing -= len(piece)
            elif check_rekey and missing == n and self.need_rekey():
                raise NeedRekeyException
        whole = b"".join(pieces)
        self._ahead, self._at = whole, n
        return whole[:n]

    def _received(self, most: int) -> bytes | None:
        """What has arrived; None when nothing did for a while."""
        if self.handshake_timed_out():
            raise EOFError
        try:
            piece = self._sock.recv(most)
        except (TimeoutError, BlockingIOError):
            if self.closed:
                raise EOFError from None
            self._check_keepalive()  # type: ignore[attr-defined]
            return None
        except OSError:
            if self.closed:
                raise EOFError from None
            raise
        if not piece:
            raise EOFError
        return piece

    def _left_of_banner(self) -> bytes:
        own: Any = self
        left: bytes = own._Packetizer__remainder
        own._Packetizer__remainder = b""
        return left

    def send_message(self, data: Any) -> None:
        if not isinstance(data, Pieces):
            super().send_message(data)
            return
        own: Any = self
        with own._Packetizer__write_lock:
            if own._Packetizer__aead_out and own._Packetizer__compress_engine_out is None:
                self._send_sealed(data)
                return
            for message in data.messages():
                super().send_message(message)

    def _send_sealed(self, data: Pieces) -> None:
        own: Any = self
        many, size = len(data.sizes), sum(data.sizes)
        if len(self._out) < size + many * _ROOM:
            self._out = bytearray(size + many * _ROOM)
        if len(self._plain) < max(data.sizes) + _ROOM:
            self._plain = bytearray(max(data.sizes) + _ROOM)
        end = self._seal(data, own._Packetizer__block_engine_out, own._Packetizer__block_size_out)
        own._Packetizer__sequence_number_out = (own._Packetizer__sequence_number_out + many) & 0xFFFFFFFF
        self.write_all(memoryview(self._out)[:end])
        own._Packetizer__sent_bytes += end
        own._Packetizer__sent_packets += many
        too_much = (
            own._Packetizer__sent_packets >= self.REKEY_PACKETS or own._Packetizer__sent_bytes >= self.REKEY_BYTES
        )
        if too_much and not self.need_rekey():
            own._Packetizer__received_bytes_overflow = own._Packetizer__received_packets_overflow = 0
            self._trigger_rekey()  # type: ignore[attr-defined]

    def _seal(self, data: Pieces, engine: Any, block: int) -> int:
        """Packets of RFC 4253, sealed as RFC 5647 has it, into `_out`; returns where they end."""
        own: Any = self
        iv: bytes = own._Packetizer__iv_out
        fixed, count = iv[:4], int.from_bytes(iv[4:], "big")
        plain, out, noise = memoryview(self._plain), memoryview(self._out), os.urandom(32)
        at = read = 0
        for size in data.sizes:
            # The length stands outside of what is sealed; the rest is whole blocks, with four bytes of padding or more.
            body = 1 + 9 + size
            padding = block - body % block
            if padding < 4:
                padding += block
            length = body + padding
            _HEAD.pack_into(plain, 0, padding, _CHANNEL_DATA, data.channel, size)
            plain[_HEAD.size : body] = data.data[read : read + size]
            plain[body:length] = noise[:padding]
            _LENGTH.pack_into(out, at, length)
            sealed = at + 4
            nonce = fixed + count.to_bytes(8, "big")
            engine.encrypt_into(nonce, plain[:length], out[at:sealed], out[sealed : sealed + length + _TAG_BYTES])
            count = (count + 1) & 0xFFFFFFFFFFFFFFFF
            at, read = sealed + length + _TAG_BYTES, read + size
        own._Packetizer__iv_out = fixed + count.to_bytes(8, "big")
        return at


def send_all(channel: paramiko.Channel, data: memoryview) -> None:
    """Send data on a channel, as far as its window lets it at a time. Raises EOFError when the channel has closed."""
    own: Any = channel
    sent = 0
    while sent < len(data):
        sizes: list[int] = []
        left = len(data) - sent
        with own.lock:
            # Waits for the window only while it is empty; each call gives one packet's share of it.
            while left and (not sizes or own.out_window_size):
                size = own._wait_for_send_window(left)
                if not size:
                    raise EOFError
                sizes.append(size)
                left -= size
        # Not under the channel's lock: while keys are negotiated anew, its owner must be able to take it.
        own.transport._send_user_message(Pieces(own.remote_chanid, data[sent:], sizes))
        sent = len(data) - left
