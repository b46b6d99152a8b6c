import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import RowMapping, insert, select, update

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


class Sharing:
    """Made and revoked by whoever binds keys of the agreement's system."""

    def __init__(self, store: "ControlStore") -> None:
        self._store = store

    def make(self, agreement: AgreementId, valid: timedelta) -> tuple[SharingToken, str]:
        """A token for an agreement, and its text, which is told here and nowhere again.

        Raises Unregistered, SharingTokenInvalid, SystemInvalid, NotYours.
        """
        store, now, text = self._store, self._store.clock.now(), secrets.token_urlsafe(32)
        if not timedelta(0) < valid <= LONGEST:
            raise SharingTokenInvalid(
                f"a token is valid for up to {LONGEST.days} days", remedy="make a new one when it ends"
            )
        with store.reading() as db:
            found = find_agreement(db, agreement)
        if found is None:
            raise Unregistered("no such agreement", remedy="see `knudepunkt agreement list`")
        made = SharingToken(
            id=new_id(), hash=token_hash(text), agreement=agreement, system=found.system, made=now, expires=now + valid
        )
        details = {"agreement": agreement, "expires": to_text(made.expires)}
        owner = store.owner_of(found.system)
        with store.changing(Verb.KEY_BIND, f"sharing token {made.id}", owner.id, details=details) as db:
            ensure_in_use(db, found.system)
            db.execute(
                insert(SHARING_TOKENS).values(
                    id=made.id, hash=made.hash, agreement=agreement, system=made.system, made=to_text(now),
                    expires=to_text(made.expires), revoked=None,
                )
            )  # fmt: skip
        return made, text

    def revoke(self, token: str) -> None:
        """By its id. One that was revoked before keeps its first time. Raises Unregistered, NotYours."""
        found = next((each for each in self.tokens() if each.id == token), None)
        if found is None:
            raise Unregistered("no such token", remedy="see `knudepunkt sharing list`")
        owner = self._store.owner_of(found.system)
        with self._store.changing(Verb.KEY_REVOKE, f"sharing token {token}", owner.id) as db:
            mine = (SHARING_TOKENS.c.id == token) & SHARING_TOKENS.c.revoked.is_(None)
            db.execute(update(SHARING_TOKENS).where(mine).values(revoked=to_text(self._store.clock.now())))

    def tokens(self) -> tuple[SharingToken, ...]:
        """Every token that was made, the newest first."""
        with self._store.reading() as db:
            rows = db.execute(select(SHARING_TOKENS).order_by(SHARING_TOKENS.c.made.desc())).mappings()
            return tuple(_token(row) for row in rows)


def _token(row: RowMapping) -> SharingToken:
    return SharingToken(
        id=row["id"], hash=row["hash"], agreement=AgreementId(row["agreement"]), system=SystemId(row["system"]),
        made=from_text(row["made"]), expires=from_text(row["expires"]), revoked=from_text_or_none(row["revoked"]),
    )  # fmt: skip
