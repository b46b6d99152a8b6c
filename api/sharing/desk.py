"""What the open bulk face needs beside the other doors, and the addresses of its files."""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.sharing.errors import SharingRequestInvalid, SharingUnknown
from control import SharingToken
from kernel import ServiceName

_FILE: Final = b"delta sharing file"
_REFRESH: Final = b"delta sharing refresh"
SIGNATURE: Final = "sp"
"""The parameter that a signature stands in. Delta's own library (delta-kernel) asks over HTTPS only where an address
has a parameter of one of the large stores; this is the shortest of them."""


@dataclass(frozen=True, slots=True)
class SharingDesk:
    """tokens     SHA-256 of a token, or a token's id -> the token, live or not; None for one that nobody made
    key        addresses of files are signed with
    files      folder of finished extracts
    changes    folder of change feeds, made from them
    file_s     how long the address of a file is good, seconds
    refresh_s  how long after a query its addresses can be renewed, seconds
    """

    tokens: Callable[[str], SharingToken | None]
    key: bytes
    files: Path
    changes: Path
    file_s: float = 3_600.0
    refresh_s: float = 86_400.0

    @property
    def answers_key(self) -> bytes:
        """Answers that hold a token are sealed with."""
        return hmac.digest(self.key, b"answers with a token", "sha256")


@dataclass(frozen=True, slots=True)
class FileAddress:
    """plan       of the extract; `changes` for its change feed
    token      id of the token by which it was given out: when that ends, so does the address
    expires    seconds since 1970
    """

    plan: str
    changes: bool
    token: str
    service: ServiceName
    expires: int

    def signed(self, key: bytes) -> str:
        """As it stands in a path and its query."""
        body, signature = _signed([self.plan, self.changes, self.token, self.service, self.expires], key, _FILE)
        return f"{body}?{SIGNATURE}={signature}"

    @classmethod
    def read(cls, text: str, signature: str, key: bytes, now: float) -> "FileAddress":
        """Raises SharingUnknown, with the same words for what was never signed and what is over."""
        try:
            fields = _read(text, signature, key, _FILE)
            address = cls(fields[0], fields[1], fields[2], ServiceName(fields[3]), fields[4])
            if now >= address.expires:
                raise ValueError
        except (ValueError, TypeError, IndexError):
            raise no_file() from None
        return address


@dataclass(frozen=True, slots=True)
class Refresh:
    """A token for new addresses of the same file, when a long query outlives the first ones. It belongs to the use that
    it was given out in, so that asking with it is none of its own.

    plan      of the file
    token     id of the token by which it was given out
    version   of the table
    ends      seconds since 1970; what it leads to ends then too, however often it is refreshed
    """

    plan: str
    token: str
    version: int
    ends: int

    def signed(self, key: bytes) -> str:
        return ".".join(_signed([self.plan, self.token, self.version, self.ends], key, _REFRESH))

    @classmethod
    def read(cls, text: str, key: bytes, token: str, now: float) -> "Refresh":
        """Raises SharingRequestInvalid, with the same words for what was never signed, is over, or is another's."""
        try:
            body, _, signature = text.partition(".")
            refresh = cls(*_read(body, signature, key, _REFRESH))
            if now >= refresh.ends or refresh.token != token:
                raise ValueError
        except (ValueError, TypeError):
            raise no_refresh() from None
        return refresh


def no_refresh() -> SharingRequestInvalid:
    return SharingRequestInvalid(
        "refreshToken leads to no file, or no longer", remedy="query the table again without it", rule="sharing.request"
    )


def no_file() -> SharingUnknown:
    return SharingUnknown("there is no file under this address, or no longer", remedy="query the table again")


def _in_a_path(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _out_of_a_path(text: str) -> bytes:
    """Raises ValueError."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if text != _in_a_path(raw):
        # The decoder skips what is no sign of its alphabet; one file has one address.
        raise ValueError
    return raw


def _signed(fields: list[Any], key: bytes, kind: bytes) -> tuple[str, str]:
    """A text that says the fields, and its signature."""
    text = json.dumps(fields).encode()
    return _in_a_path(text), _in_a_path(hmac.digest(key, kind + text, "sha256"))


def _read(text: str, signature: str, key: bytes, kind: bytes) -> list[Any]:
    """The fields that were signed. Raises ValueError."""
    body = _out_of_a_path(text)
    if not hmac.compare_digest(_out_of_a_path(signature), hmac.digest(key, kind + body, "sha256")):
        raise ValueError
    fields: list[Any] = json.loads(body)
    return fields
