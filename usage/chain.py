"""Lines that hold each other: the form of every ledger file.

A line is a JSON object whose last member, `hash`, is the SHA-256 (lower-case hex) over the hash of the line
before it followed by the line's own bytes without that member (and with the closing brace). The first line
follows START. To alter, remove, insert or move a line is to break every hash after it.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

START: Final = b"0" * 64
"""Stands for the hash before the first line."""

_MEMBER: Final = b',"hash":"'
_TAIL: Final = len(_MEMBER) + 64 + len(b'"}')


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the accounts that is not as it was written.

    file   name of the ledger file, or `files.jsonl` (the list of them), or `usage lake`
    line   1-based; 0 when the fault is the file's, not one line's
    """

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}" if self.line else f"{self.file}: {self.what}"


class Broken(Exception):
    """A line that does not follow from the one before. `line` is 1-based, `last` whether no line comes after it."""

    def __init__(self, line: int, what: str, *, is_json: bool, last: bool) -> None:
        super().__init__(what)
        self.line, self.what, self.is_json, self.last = line, what, is_json, last


def link(previous: bytes, body: bytes) -> tuple[bytes, bytes]:
    """The line for `body` (the text of a JSON object with at least one member) after `previous`, and its hash."""
    digest = hashlib.sha256(previous + body).hexdigest().encode()
    return b"".join((body[:-1], _MEMBER, digest, b'"}\n')), digest


class Line(NamedTuple):
    number: int
    value: dict[str, Any]
    hash: bytes
    end: int
    """Offset of the first byte after the line."""


def lines(data: bytes) -> Iterator[Line]:
    """The whole lines of `data`, each checked against the one before; bytes after the last newline are left out.

    Raises Broken at the first line that does not follow.
    """
    previous, start, number = START, 0, 0
    sha256, loads = hashlib.sha256, orjson.loads
    while (stop := data.find(b"\n", start)) >= 0:
        number += 1
        text = data[start:stop]
        last = stop + 1 == len(data)
        try:
            value = loads(text)
        except orjson.JSONDecodeError:
            raise Broken(number, "the line is not JSON", is_json=False, last=last) from None
        digest = sha256(previous + text[:-_TAIL] + b"}").hexdigest().encode()
        # Compared as bytes, not as parsed: a blank or an escape somewhere in the member is a change too.
        if not isinstance(value, dict) or text[-_TAIL:] != b"".join((_MEMBER, digest, b'"}')):
            raise Broken(number, "the line does not follow from the one before it", is_json=True, last=last)
        yield Line(number, value, digest, stop + 1)
        previous, start = digest, stop + 1
