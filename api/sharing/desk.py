"""What the open bulk face needs beside the other doors, and the addresses of its files."""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.sharing.errors import SharingUnknown
from control import SharingToken
from kernel import ServiceName

_SIGNED: Final = b"delta sharing file"
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
    """

    tokens: Callable[[str], SharingToken | None]
    key: bytes
    files: Path
    changes: Path
    file_s: float = 3_600.0

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
        text = json.dumps([self.plan, self.changes, self.token, self.service, self.expires]).encode()
        return f"{_in_a_path(text)}?{SIGNATURE}={_in_a_path(_mac(key, text))}"

    @classmethod
    def read(cls, text: str, signature: str, key: bytes, now: float) -> "FileAddress":
        """Raises SharingUnknown, with the same words for what was never signed and what is over."""
        try:
            body = _out_of_a_path(text)
            if not hmac.compare_digest(_out_of_a_path(signature), _mac(key, body)):
                raise ValueError
            fields: list[Any] = json.loads(body)
            address = cls(fields[0], fields[1], fields[2], ServiceName(fields[3]), fields[4])
            if now >= address.expires:
                raise ValueError
        except (ValueError, TypeError, IndexError):
            raise no_file() from None
        return address


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


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, _SIGNED + text, "sha256")
