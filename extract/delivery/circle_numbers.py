"""The filters of circles by number, as they are kept: a keyed hash, by which a number is found and compared, and the
number encrypted (AES-GCM, bound to the circle), so that the subscriber can be told whom it follows. Whoever reads the
database without the key learns no number, and cannot try numbers out.

A circle can hold hundreds of thousands. They are asked for some at a time, and where all are needed, eight bytes stand
for each.
"""

import hashlib
import hmac
import os
from array import array
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import ColumnElement, select

from extract.delivery.circle import FilterKind
from extract.delivery.circle_book import AT_ONCE, Stays
from extract.delivery.faults import CircleKeyInvalid
from extract.delivery.outbox_tables import ASKED_AT_ONCE, CIRCLE_FILTERS, Database

READ_AT_ONCE: Final = 10_000
_NONCE_BYTES: Final = 12


@dataclass(frozen=True)
class Seal:
    """The key of the circles; 32 bytes. Two keys are made from it, so that hashes tell nothing about ciphers."""

    key: bytes

    def hashed(self, circle: str, number: str) -> str:
        """In each circle another one: two rows cannot be told to be of the same person."""
        return hmac.digest(self._hashing, f"{circle} {number}".encode(), "sha256").hex()

    def sealed(self, circle: str, number: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, number.encode(), circle.encode())

    def opened(self, circle: str, sealed: bytes) -> str:
        """Raises CircleKeyInvalid."""
        try:
            return self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], circle.encode()).decode()
        except InvalidTag:
            raise CircleKeyInvalid(
                "the circles were kept under another key", remedy="put the instance's own secrets/circle.key back"
            ) from None

    @cached_property
    def _hashing(self) -> bytes:
        return self._derived("hash")

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(self._derived("seal"))

    def _derived(self, what: str) -> bytes:
        return hmac.new(self.key, f"circle {what}".encode(), hashlib.sha256).digest()


@dataclass(frozen=True, slots=True)
class KeptNumbers:
    """Those of one circle: `circle_book.Numbers`, out of the database."""

    database: Database
    seal: Seal
    circle: str

    def any(self, stays: Stays) -> bool:
        with self.database.reading() as db:
            return db.execute(select(CIRCLE_FILTERS.c.value).where(*self._those(stays)).limit(1)).first() is not None

    def among(self, numbers: Collection[str], stays: Stays) -> frozenset[str]:
        hashes = {self.seal.hashed(self.circle, each): each for each in numbers}
        table, values, found = CIRCLE_FILTERS, list(hashes), set[str]()
        with self.database.reading() as db:
            for start in range(0, len(values), ASKED_AT_ONCE):
                some = values[start : start + ASKED_AT_ONCE]
                asked = select(table.c.value).where(*self._those(stays), table.c.value.in_(some))
                found.update(hashes[each] for each in db.execute(asked).scalars())
        return frozenset(found)

    def batches(self, stays: Stays) -> Iterator[frozenset[str]]:
        sealed = select(CIRCLE_FILTERS.c.sealed).where(*self._those(stays))
        numbers = array("Q")
        with self.database.reading() as db:
            streamed = db.execute(sealed.execution_options(yield_per=READ_AT_ONCE))
            numbers.extend(int(self.seal.opened(self.circle, each)) for each in streamed.scalars())
        if numbers:
            np.frombuffer(numbers, np.uint64).sort()
        for start in range(0, len(numbers), AT_ONCE):
            yield frozenset(f"{each:010d}" for each in numbers[start : start + AT_ONCE])

    def _those(self, stays: Stays) -> tuple[ColumnElement[bool], ...]:
        """As `Stays.hold` says it."""
        table = CIRCLE_FILTERS
        wanted = [
            table.c.circle == self.circle, table.c.kind == FilterKind.NUMBER, table.c.added <= stays.at,
            table.c.removed.is_(None) | (table.c.removed > stays.at),
        ]  # fmt: skip
        if stays.after is not None:
            wanted.append(table.c.added > stays.after)
        if stays.by is not None:
            wanted.append(table.c.removed <= stays.by)
        return tuple(wanted)
