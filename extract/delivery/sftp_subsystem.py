"""paramiko's SFTP subsystem with its doors narrowed: what one client can make us hold or do is bounded, and refusals
say why.
"""

import contextlib
import struct
from typing import Any, Final, Protocol, runtime_checkable

import paramiko
import structlog
from paramiko.message import Message
from paramiko.sftp import (
    CMD_DATA,
    CMD_EXTENDED,
    CMD_EXTENDED_REPLY,
    CMD_INIT,
    CMD_NAMES,
    CMD_OPEN,
    CMD_OPENDIR,
    CMD_READ,
    CMD_VERSION,
    SFTP_BAD_MESSAGE,
    SFTP_FAILURE,
    SFTP_OP_UNSUPPORTED,
    SFTPError,
)

from extract.delivery.sftp_session import ABSENT, FAILED, NO_ROOM, READ_ONLY, Refusal
from extract.delivery.sftp_transfer import READ_BYTES, Outcome
from extract.delivery.sftp_wire import send_all
from extract.errors import told
from kernel import PlatformError, says_full

_log = structlog.get_logger(__name__)

HANDLES: Final = 100
"""Open files and folders in one session, at once."""
PACKET_BYTES: Final = 256 * 1024
_VERSION: Final = 3
_LIMITS: Final = "limits@openssh.com"
_CHANGING: Final = frozenset(
    {
        "hardlink@openssh.com",
        "fsync@openssh.com",
        "lsetstat@openssh.com",
        "copy-data",
    }
)
_TOO_MANY: Final = Refusal(SFTP_FAILURE, f"too many files open at once; the limit is {HANDLES}")
_NO_HANDLE: Final = Refusal(SFTP_BAD_MESSAGE, "no file is open under this handle")
_DATA_HEAD: Final = struct.Struct(">IBII")
"""Of an answer with data: length, kind, request, length of the data."""
_UNKNOWN: Final = Refusal(SFTP_OP_UNSUPPORTED, "this request is not known here")


@runtime_checkable
class Readable(Protocol):
    def read_into(self, offset: int, length: int, room: memoryview) -> Outcome: ...


class Subsystem(paramiko.SFTPServer):
    sock: paramiko.Channel

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._buffer = bytearray(_DATA_HEAD.size + READ_BYTES)

    def _send_server_version(self) -> int:
        """Version 3, and OpenSSH's `limits`, which lets its client ask for larger pieces. Not `check-file`: its hash
        is computed over a length that the client makes up, and paramiko's loop over it never ends when the file is
        shorter."""
        kind, data = self._read_packet()
        if kind != CMD_INIT:
            raise SFTPError("not a beginning")
        answer = Message()
        answer.add_int(_VERSION)
        answer.add_string(_LIMITS)
        answer.add_string("1")
        self._send_packet(CMD_VERSION, answer)  # type: ignore[attr-defined]
        return int(struct.unpack(">I", data[:4])[0])

    def _read_packet(self) -> tuple[int, bytes]:
        (size,) = struct.unpack(">I", self._read_all(4))  # type: ignore[attr-defined]
        if not 0 < size <= PACKET_BYTES:
            raise EOFError
        data: bytes = self._read_all(size)  # type: ignore[attr-defined]
        return data[0], data[1:]

    def _process(self, kind: int, request: int, message: Message) -> None:
        try:
            if kind == CMD_READ:
                self._read(request, message)
            elif kind == CMD_EXTENDED:
                self._extended(request, message)
            elif kind in {CMD_OPEN, CMD_OPENDIR} and len(self.file_table) + len(self.folder_table) >= HANDLES:
                self._send_status(request, _TOO_MANY)
            elif kind in CMD_NAMES:
                super()._process(kind, request, message)  # type: ignore[misc]
            else:
                self._send_status(request, _UNKNOWN)
        except UnicodeDecodeError:
            # Names are UTF-8 here, so one that is not belongs to nothing.
            self._send_status(request, ABSENT)
        except PlatformError as error:
            # For instance a ledger that cannot be written: nothing leaves, and the client is told to come again.
            self._send_status(request, Refusal(SFTP_FAILURE, f"{error.code}: {error.message}"))
        except Exception as error:
            if isinstance(error, OSError) and self.sock.closed:
                # The client has hung up: there is nobody to answer, and nothing for an operator to look into.
                return
            full = says_full(error)
            _log.error("sftp_request_failed", kind=kind, full=full, **told(error))
            self._send_status(request, NO_ROOM if full else FAILED)

    def _read(self, request: int, message: Message) -> None:
        """The hot path of a download: from the file into the packets, without a copy of its own for each step."""
        handle = self.file_table.get(message.get_binary())
        if not isinstance(handle, Readable):
            self._send_status(request, _NO_HANDLE)
            return
        buffer = self._buffer
        outcome = handle.read_into(message.get_int64(), message.get_int(), memoryview(buffer)[_DATA_HEAD.size :])
        if outcome.status is not None:
            self._send_status(request, outcome.status)
            return
        _DATA_HEAD.pack_into(buffer, 0, 9 + outcome.count, CMD_DATA, request, outcome.count)
        send_all(self.sock, memoryview(buffer)[: _DATA_HEAD.size + outcome.count])

    def _extended(self, request: int, message: Message) -> None:
        name = message.get_binary().decode("ascii", "replace")
        if name == _LIMITS:
            answer = Message()
            answer.add_int(request)
            for limit in (PACKET_BYTES, READ_BYTES, READ_BYTES, HANDLES):
                answer.add_int64(limit)
            self._send_packet(CMD_EXTENDED_REPLY, answer)  # type: ignore[attr-defined]
        elif name == "posix-rename@openssh.com":
            self._send_status(request, self.server.posix_rename(message.get_text(), message.get_text()))
        else:
            self._send_status(request, READ_ONLY if name in _CHANGING else _UNKNOWN)

    def _send_status(self, request: int, code: int, desc: str | None = None) -> None:
        super()._send_status(request, code, desc or getattr(code, "text", None))  # type: ignore[misc]

    def finish_subsystem(self) -> None:
        """Close what the client left open: each broken transfer is in the ledger, also when the one before it could
        not be.
        """
        for handle in list(self.file_table.values()):
            try:
                getattr(handle, "abandon", handle.close)()
            except Exception as error:
                _log.error("sftp_delivery_not_recorded", **told(error))
        self.file_table.clear()
        with contextlib.suppress(EOFError, OSError, paramiko.SSHException):
            super().finish_subsystem()
