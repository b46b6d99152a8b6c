import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from control.actors import Verb
from control.agreements.store import find_agreement
from control.errors import SharingTokenInvalid, Unregistered
from control.sharing.values import SharingToken, token_hash
from control.systems.store import ensure_in_use
from control.tables import SHARING_TOKENS
from control.times import from_text, from_text_or_none, to_text
from kernel import AgreementId, SystemId, new_id

if TYPE_CHECKING:
    from control.store import ControlStore

LONGEST: Final = timedelta(days=365)
MOST: Final = 50
"""Tokens of one agreement that are good at the same time."""


class Sharing:
    """Made and revoked by whoever binds keys of the agreement's system."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def make(
        self,
        agreement: AgreementId,
        valid: timedelta,
        *,
        ends: datetime | None = None,
        by: SystemId | None = None,
        certificate: str | None = None,
    ) -> tuple[SharingToken, str]:
        """A token for an agreement, and its text, which is told here and nowhere again.

        ends          it is good until then at the latest
        by            the system that asks: another's agreement is to it as if it were not
        certificate   fingerprint of the one that it shows: the token ends with it

        Raises Unregistered, SharingTokenInvalid, SystemInvalid, NotYours.
        """
        store, now, text = self._store, self._store.clock.now(), secrets.token_urlsafe(32)
        if not timedelta(0) < valid <= LONGEST:
            raise SharingTokenInvalid(
                f"a token is valid for up to {LONGEST.days} days", remedy="make a new one when it ends"
            )
        with store.reading() as db:
            found = find_agreement(db, agreement)
        if found is None or by not in {None, found.system}:
            raise Unregistered("no such agreement", remedy="name one of your own")
        made = SharingToken(
            id=new_id(), hash=token_hash(text), agreement=agreement, system=found.system, made=now,
            expires=now + valid if ends is None else min(now + valid, ends), certificate=certificate,
        )  # fmt: skip
        details = {"agreement": agreement, "expires": to_text(made.expires)}
        owner = store.owner_of(found.system)
        with store.changing(Verb.KEY_BIND, f"sharing token {made.id}", owner.id, details=details) as db:
            ensure_in_use(db, found.system)
            _ensure_room(db, made)
            db.execute(
                insert(SHARING_TOKENS).values(
                    id=made.id, hash=made.hash, agreement=agreement, system=made.system, made=to_text(now),
                    expires=to_text(made.expires), revoked=None, certificate=certificate,
                )
            )  # fmt: skip
        return made, text

    def revoke(self, token: str, *, by: SystemId | None = None) -> None:
        """By its id. One that was revoked before keeps its first time.

        by   the system that asks: another's token is to it as if it were not

        Raises Unregistered, NotYours.
        """
        found = next((each for each in self.tokens() if each.id == token), None)
        if found is None or by not in {None, found.system}:
            raise Unregistered("no such token", remedy="list the tokens that there are")
        owner = self._store.owner_of(found.system)
        with self._store.changing(Verb.KEY_REVOKE, f"sharing token {token}", owner.id) as db:
            mine = (SHARING_TOKENS.c.id == token) & SHARING_TOKENS.c.revoked.is_(None)
            db.execute(update(SHARING_TOKENS).where(mine).values(revoked=to_text(self._store.clock.now())))

    def tokens(self) -> tuple[SharingToken, ...]:
        """Every token that was made, the newest first."""
        with self._store.reading() as db:
            rows = db.execute(select(SHARING_TOKENS).order_by(SHARING_TOKENS.c.made.desc())).mappings()
            return tuple(_token(row) for row in rows)


def _ensure_room(db: Connection, made: SharingToken) -> None:
    """Raises SharingTokenInvalid."""
    column = SHARING_TOKENS.c
    good = (column.agreement == made.agreement) & column.revoked.is_(None) & (column.expires > to_text(made.made))
    if (db.scalar(select(func.count()).where(good)) or 0) >= MOST:
        raise SharingTokenInvalid(
            f"the agreement has {MOST} tokens that are good", remedy="revoke those that nobody uses"
        )


def _token(row: RowMapping) -> SharingToken:
    return SharingToken(
        id=row["id"], hash=row["hash"], agreement=AgreementId(row["agreement"]), system=SystemId(row["system"]),
        made=from_text(row["made"]), expires=from_text(row["expires"]), revoked=from_text_or_none(row["revoked"]),
        certificate=row["certificate"],
    )  # fmt: skip
