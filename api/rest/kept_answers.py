"""Answers to requests with an idempotency key, kept for who did not hear them; sealed where they hold a secret."""

import os
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from api.errors import HeaderInvalid
from api.request import Request
from control.repeats import Once

HEADER: Final = "Idempotency-Key"
_KEY: Final = re.compile(r"[\x21\x23-\x7e]{1,255}")
_NONCE_BYTES: Final = 12


def once_of(request: Request, who: str, body: bytes) -> Once | None:
    """The request as its idempotency key names it; None without one. Raises HeaderInvalid.

    who   two who choose the same key do not meet
    """
    given = request.once(HEADER)
    if given is None:
        return None
    # The draft of the header (draft-ietf-httpapi-idempotency-key-header) wants a string in quotes.
    key = given.removeprefix('"').removesuffix('"')
    if not _KEY.fullmatch(key):
        raise HeaderInvalid(f"the header {HEADER} does not hold 1 to 255 visible signs", remedy="use a UUID, say")
    return Once.of(who, key, request.method, request.path, body)


@dataclass(frozen=True, slots=True)
class Sealed:
    """Answers that hold a secret stand in the database as nobody reads them there. key   32 bytes"""

    key: bytes

    def closed(self, once: Once, answer: bytes) -> str:
        nonce = os.urandom(_NONCE_BYTES)
        return b64encode(nonce + AESGCM(self.key).encrypt(nonce, answer, _name(once))).decode()

    def opened(self, once: Once, text: str) -> bytes:
        """Raises cryptography's InvalidTag for another request's."""
        raw = b64decode(text)
        return AESGCM(self.key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _name(once))


def _name(once: Once) -> bytes:
    return "\n".join((once.actor, once.key, once.request)).encode()
