"""Circles in the database.

A circle is of a system and a municipality, so that an agreement that is renewed goes on with it.

A personal number is kept twice: as a keyed hash, by which it is found and compared, and encrypted (AES-GCM, bound to
the circle), so that the subscriber can be told whom it follows. Whoever reads the database without the key learns no
number, and cannot try numbers out.
"""

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, func, insert, select

from extract.delivery.circle import Circle, Filter, FilterKind, Outcome, ensure_judged
from extract.delivery.faults import CircleFull, CircleKeyInvalid
from extract.delivery.outbox_tables import CIRCLE_FILTERS, Database, text_of
from kernel import Clock, Grant

MOST: Final = 2_000_000
"""Filters of one agreement."""
_NONCE_BYTES: Final = 12

Exists = Callable[[Grant, str], bool]
"""Whether a person with that number is among those an agreement covers."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The key of the circles; 32 bytes. Two keys are made from it, so that hashes tell nothing about ciphers."""

    key: bytes

    def hashed(self, circle: str, number: str) -> str:
        """In each circle another one: two rows cannot be told to be of the same person."""
        return hmac.new(self._derived("hash"), f"{circle} {number}".encode(), hashlib.sha256).hexdigest()

    def sealed(self, circle: str, number: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._derived("seal")).encrypt(nonce, number.encode(), circle.encode())

    def opened(self, circle: str, sealed: bytes) -> str:
        """Raises CircleKeyInvalid."""
        try:
            cipher = AESGCM(self._derived("seal"))
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], circle.encode()).decode()
        except InvalidTag:
            raise CircleKeyInvalid(
                "the circles were kept under another key", remedy="put the instance's own secrets/circle.key back"
            ) from None

    def _derived(self, what: str) -> bytes:
        return hmac.new(self.key, f"circle {what}".encode(), hashlib.sha256).digest()


def circle_of(grant: Grant) -> str:
    """The name of the circle that an agreement speaks of."""
    return f"{grant.system} {grant.municipality_cvr}"


class Circles:
    """The door to circles. REST and the established SOAP service speak through it.

    exists   asked before a number is added
    """

    def __init__(self, database: Database, seal: Seal, exists: Exists, clock: Clock) -> None:
        self._database, self._seal, self._exists, self._clock = database, seal, exists, clock

    def add(self, grant: Grant, wanted: Filter) -> Outcome:
        """ADDED, ALREADY_EXISTED, or NON_EXISTING_PNR for nobody whom the agreement covers: those outside it and those
        who do not exist cannot be told apart.

        Raises ColumnsNotCovered, CircleFull.
        """
        ensure_judged(grant, wanted.kind)
        if wanted.kind is FilterKind.NUMBER and not self._exists(grant, wanted.value):
            return Outcome.NON_EXISTING_PNR
        value = self._kept(circle_of(grant), wanted)
        table, now = CIRCLE_FILTERS, text_of(self._clock.now())
        mine = (table.c.circle == circle_of(grant), table.c.kind == wanted.kind, table.c.value == value)
        with self._database.writing() as db:
            if db.execute(select(table.c.value).where(*mine)).first() is not None:
                return Outcome.ALREADY_EXISTED
            count = select(func.count()).select_from(table).where(table.c.circle == circle_of(grant))
            if int(db.execute(count).scalar_one()) >= MOST:
                raise CircleFull(
                    f"the circle has {MOST:,} filters already",
                    remedy="remove those that nobody needs, or follow municipalities instead of numbers",
                    rule="circle.limit",
                    left=0,
                )
            number = wanted.kind is FilterKind.NUMBER
            sealed = self._seal.sealed(circle_of(grant), wanted.value) if number else None
            db.execute(
                insert(table).values(circle=circle_of(grant), kind=wanted.kind, value=value, sealed=sealed, added=now)
            )
        return Outcome.ADDED

    def remove(self, grant: Grant, wanted: Filter) -> Outcome:
        """REMOVED, also when it was not there: the circle is as was asked. Of a number that was not there
        NON_EXISTING_PNR, as the established service says it.
        """
        table, value = CIRCLE_FILTERS, self._kept(circle_of(grant), wanted)
        mine = (table.c.circle == circle_of(grant), table.c.kind == wanted.kind, table.c.value == value)
        with self._database.writing() as db:
            gone = db.execute(delete(table).where(*mine)).rowcount
        return Outcome.NON_EXISTING_PNR if not gone and wanted.kind is FilterKind.NUMBER else Outcome.REMOVED

    def clear(self, grant: Grant, kind: FilterKind | None = None) -> int:
        """Remove all filters of a kind, or all; how many there were."""
        table = CIRCLE_FILTERS
        gone = delete(table).where(table.c.circle == circle_of(grant))
        if kind is not None:
            gone = gone.where(table.c.kind == kind)
        with self._database.writing() as db:
            return int(db.execute(gone).rowcount)

    def filters(self, grant: Grant) -> tuple[Filter, ...]:
        """All filters, numbers in clear. Raises CircleKeyInvalid."""
        found = []
        for kind, value, sealed, _ in self._rows(circle_of(grant)):
            shown = value if sealed is None else self._seal.opened(circle_of(grant), sealed)
            found.append(Filter(kind, shown))
        return tuple(sorted(found, key=lambda each: (each.kind, each.value)))

    def circle(self, grant: Grant, *, added_after: datetime | None = None) -> Circle:
        """As rows are asked; with `added_after` the filters alone that came later."""
        found: dict[FilterKind, list[str]] = {kind: [] for kind in FilterKind}
        for kind, value, _, added in self._rows(circle_of(grant)):
            if added_after is None or added > text_of(added_after):
                found[kind].append(value)
        ages = [value.split("-") for value in found[FilterKind.AGE]]
        return Circle(
            numbers=frozenset(found[FilterKind.NUMBER]),
            municipalities=frozenset(found[FilterKind.MUNICIPALITY]),
            ages=tuple((int(youngest), int(oldest)) for youngest, oldest in ages),
            events=frozenset(found[FilterKind.EVENT]),
            everybody=bool(found[FilterKind.EVERYBODY]),
            hashed=lambda number: self._seal.hashed(circle_of(grant), number),
        )

    def newest(self, grant: Grant) -> datetime | None:
        """When the newest filter was added; None for an empty circle."""
        return max((datetime.fromisoformat(added) for *_, added in self._rows(circle_of(grant))), default=None)

    def numbers(self, grant: Grant, *, added_after: datetime | None) -> frozenset[str]:
        """Personal numbers in clear, or those that were added later. Raises CircleKeyInvalid."""
        return frozenset(
            self._seal.opened(circle_of(grant), sealed)
            for _, _, sealed, added in self._rows(circle_of(grant))
            if sealed is not None and (added_after is None or added > text_of(added_after))
        )

    def _kept(self, circle: str, wanted: Filter) -> str:
        if wanted.kind is FilterKind.NUMBER:
            return self._seal.hashed(circle, wanted.value)
        return wanted.value

    def _rows(self, circle: str) -> list[tuple[FilterKind, str, bytes | None, str]]:
        table = CIRCLE_FILTERS
        wanted = select(table.c.kind, table.c.value, table.c.sealed, table.c.added)
        with self._database.reading() as db:
            found = db.execute(wanted.where(table.c.circle == circle)).all()
        return [(FilterKind(kind), value, sealed, added) for kind, value, sealed, added in found]
