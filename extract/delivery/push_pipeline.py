"""Pieces of a file to and from an SFTP server, many under way at once, each answered for.

The library's own pipelining sends 32 KiB a piece, and drops what the server says of a piece that is answered out of
turn. Here pieces are 255 KiB, the longest that servers take, and no more than a window of them is unanswered, so that
a cut costs little and a refusal is heard.
"""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import paramiko
from paramiko.message import Message
from paramiko.sftp import CMD_DATA, CMD_READ, CMD_STATUS, CMD_WRITE, int64

from extract.delivery.faults import TargetFaulty

PIECE_BYTES: Final = 255 * 1024
AHEAD: Final = 64
_ODD: Final = "the SFTP server answers otherwise than the protocol says"


class _Answers:
    """What the server says, by the number of the request. The client calls `_async_response` for each answer."""

    def __init__(self, client: paramiko.SFTPClient) -> None:
        self._client: Any = client
        self._kinds: dict[int, tuple[int, Message]] = {}
        self.waiting: dict[int, int] = {}
        """Number of a request -> the offset it is about, in the order they were sent."""

    def ask(self, kind: int, offset: int, *rest: Any) -> None:
        number = self._client._async_request(self, kind, *rest)
        self.waiting[number] = offset

    def _async_response(self, kind: int, message: Message, number: int) -> None:
        self._kinds[number] = (kind, message)

    def oldest(self) -> tuple[int, int, Message]:
        """The answer to the oldest request: its offset, kind and message. Raises OSError, SSHException."""
        number = next(iter(self.waiting))
        while number not in self._kinds:
            self._client._read_response()
        offset = self.waiting.pop(number)
        return offset, *self._kinds.pop(number)

    def here(self) -> bool:
        """Whether something can be read without waiting."""
        return bool(self._kinds) or bool(self._client.sock.recv_ready())

    def check(self, kind: int, message: Message) -> None:
        """Raises OSError when the server says no."""
        if kind != CMD_STATUS:
            raise TargetFaulty(_ODD, remedy="it is tried again")
        self._client._convert_status(message)


def write_ahead(
    client: paramiko.SFTPClient,
    theirs: paramiko.SFTPFile,
    ours: BinaryIO,
    start: int,
    stop: int,
    alive: Callable[[], None],
) -> None:
    """Write bytes [start, stop) of `ours`, which stands at `start`. Returns when the server has answered for all.

    Raises TargetFaulty, OSError for what the server refuses, and what `alive` raises.
    """
    answers, handle, position = _Answers(client), theirs.handle, start
    while position < stop or answers.waiting:
        alive()
        if position < stop and len(answers.waiting) < AHEAD and not answers.here():
            piece = ours.read(min(PIECE_BYTES, stop - position))
            if not piece:
                raise TargetFaulty("the file became shorter while it was sent", remedy="it is made and sent again")
            answers.ask(CMD_WRITE, position, handle, int64(position), piece)
            position += len(piece)
        else:
            _, kind, message = answers.oldest()
            answers.check(kind, message)


def read_ahead(
    client: paramiko.SFTPClient, theirs: paramiko.SFTPFile, size_bytes: int, alive: Callable[[], None]
) -> Iterator[bytes]:
    """The first bytes of a file, in order; fewer than asked for when it is shorter. Raises as `write_ahead`."""
    answers, handle = _Answers(client), theirs.handle
    asked = came = 0
    while came < size_bytes:
        alive()
        while asked < size_bytes and len(answers.waiting) < AHEAD:
            length = min(PIECE_BYTES, size_bytes - asked)
            answers.ask(CMD_READ, asked, handle, int64(asked), length)
            asked += length
        offset, kind, message = answers.oldest()
        if kind != CMD_DATA:
            try:
                answers.check(kind, message)
            except EOFError:
                return
        piece = message.get_string()
        if offset != came or not piece:
            # A short answer leaves a hole before the next one: then what follows is not what it seems.
            return
        came += len(piece)
        yield piece
