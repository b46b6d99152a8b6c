from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from control.actors import Role
from control.errors import Unregistered
from control.notices.values import Notice
from control.tables import NOTICES
from control.times import from_text, from_text_or_none, to_text
from kernel import OrganisationId, new_id


def tell(
    db: Connection, *, to: OrganisationId, roles: frozenset[Role], subject: str, text: str, about: str, at: datetime
) -> None:
    """Put a notice into an inbox, in the transaction of what it tells: none is lost, and none tells what never was.

    text   words for people; it leaves by e-mail, so it names no person and no key of a register
    """
    values: dict[str, Any] = {
        "id": new_id(), "organisation": to, "roles": " ".join(sorted(roles)), "subject": subject, "text": text,
        "about": about, "at": to_text(at), "attempts": 0,
    }  # fmt: skip
    db.execute(insert(NOTICES).values(values))


def load_notices(
    db: Connection, organisation: OrganisationId | None = None, *, unmailed: bool = False
) -> tuple[Notice, ...]:
    """Oldest first."""
    query = select(NOTICES).order_by(NOTICES.c.at, NOTICES.c.id)
    if organisation is not None:
        query = query.where(NOTICES.c.organisation == organisation)
    if unmailed:
        query = query.where(NOTICES.c.mailed.is_(None))
    return tuple(_notice(row) for row in db.execute(query).mappings())


def find_notice(db: Connection, notice: str) -> Notice:
    """Raises Unregistered."""
    row = db.execute(select(NOTICES).where(NOTICES.c.id == notice)).mappings().first()
    if row is None:
        raise Unregistered("no such notice", remedy="list the inbox to see those that are there")
    return _notice(row)


def mark_read(db: Connection, notice: str, at: datetime) -> None:
    mine = (NOTICES.c.id == notice) & NOTICES.c.read.is_(None)
    db.execute(update(NOTICES).where(mine).values(read=to_text(at)))


def mark_mailed(db: Connection, notice: str, at: datetime) -> None:
    db.execute(update(NOTICES).where(NOTICES.c.id == notice).values(mailed=to_text(at)))


def count_attempt(db: Connection, notice: str) -> None:
    db.execute(update(NOTICES).where(NOTICES.c.id == notice).values(attempts=NOTICES.c.attempts + 1))


def _notice(row: RowMapping) -> Notice:
    return Notice(
        id=row["id"],
        organisation=OrganisationId(row["organisation"]),
        roles=frozenset(Role(each) for each in row["roles"].split()),
        subject=row["subject"],
        text=row["text"],
        about=row["about"],
        at=from_text(row["at"]),
        read=from_text_or_none(row["read"]),
        mailed=from_text_or_none(row["mailed"]),
        attempts=row["attempts"],
    )
