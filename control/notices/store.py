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
    db: Connection,
    *,
    to: OrganisationId,
    roles: frozenset[Role],
    subject: str,
    text: str,
    about: str,
    at: datetime,
    reminder: str | None = None,
) -> bool:
    """Put a notice into an inbox, in the transaction of what it tells: none is lost, and none tells what never was.

    text       words for people; it leaves by e-mail, so it names no person and no key of a register
    reminder   what is told and which time it is: told before, it is not told again

    Gives whether it was told now.
    """
    if reminder is not None:
        same = NOTICES.c.reminder == reminder
        if db.execute(select(NOTICES.c.id).where(same)).first() is not None:
            return False
    values: dict[str, Any] = {
        "id": new_id(), "organisation": to, "roles": " ".join(sorted(roles)), "subject": subject, "text": text,
        "about": about, "at": to_text(at), "reminder": reminder,
    }  # fmt: skip
    db.execute(insert(NOTICES).values(values))
    return True


def load_notices(
    db: Connection, organisation: OrganisationId | None = None, *, unmailed_since: datetime | None = None
) -> tuple[Notice, ...]:
    """Oldest first. unmailed_since   only those of that time or later whose e-mails have not all been settled"""
    query = select(NOTICES).order_by(NOTICES.c.at, NOTICES.c.id)
    if organisation is not None:
        query = query.where(NOTICES.c.organisation == organisation)
    if unmailed_since is not None:
        query = query.where(NOTICES.c.mailed.is_(None) & (NOTICES.c.at >= to_text(unmailed_since)))
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
    )
