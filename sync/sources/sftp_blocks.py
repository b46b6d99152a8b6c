"""Reading a file over SFTP with several requests on their way, so that a long road costs little."""

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import paramiko
from paramiko.sftp import CMD_DATA, CMD_READ, CMD_STATUS, SFTP_EOF, SFTPError, int64

BLOCK_BYTES: Final = 32 * 1024
"""What every server gives in one answer (draft-ietf-secsh-filexfer-02, section 3)."""
AHEAD: Final = 64
"""Requests on their way: with BLOCK_BYTES, paramiko's channel window of 2 MiB."""


class _Answers:
    """came     number of a request -> the bytes that came for it; b"" at the end of the file
    failed   the server answered something else, to any of the requests
    """

    def __init__(self) -> None:
        self.came: dict[int, bytes] = {}
        self.failed = False

    def _async_response(self, kind: int, message: paramiko.Message, number: int) -> None:
        if kind == CMD_DATA:
            self.came[number] = message.get_string()
        else:
            self.came[number] = b""
            self.failed |= kind != CMD_STATUS or message.get_int() != SFTP_EOF


def read_blocks(client: Any, file: paramiko.SFTPFile, end: int) -> Iterator[bytes]:
    """The bytes of an open file from its start up to `end`, or to the end of the file.

    Not paramiko's own prefetch: it sends from a thread that prints a traceback when the peer hangs up, and that stays
    for good when it was bounded and the answers are not fetched any more.
    """
    answers, ahead, asked = _Answers(), deque[tuple[int, int, int]](), 0

    def ask(offset: int, size: int) -> tuple[int, int, int]:
        number: int = client._async_request(answers, CMD_READ, file.handle, int64(offset), size)
        return number, offset, size

    while ahead or asked < end:
        while asked < end and len(ahead) < AHEAD:
            ahead.append(ask(asked, min(BLOCK_BYTES, end - asked)))
            asked += ahead[-1][2]
        number, offset, size = ahead.popleft()
        while number not in answers.came:
            client._read_response()
        if answers.failed:
            raise SFTPError("the server cannot read the file")
        block = answers.came.pop(number)[:size]
        if not block:
            return
        if len(block) < size:
            ahead.appendleft(ask(offset + len(block), size - len(block)))
        yield block
