import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select

from control.actors import Actor, Verb
from control.audit.values import BEGIN, AuditEntry
from control.tables import AUDIT
from control.times import from_text, to_text


def append(
    db: Connection, actor: Actor, verb: Verb, about: str, details: Mapping[str, str], at: datetime
) -> AuditEntry:
    """Write the next entry, in the transaction of the change that it tells of. Writers must have queued before."""
    last = db.execute(select(AUDIT.c.number, AUDIT.c.hash).order_by(AUDIT.c.number.desc()).limit(1)).first()
    number, before = (last.number, last.hash) if last is not None else (0, BEGIN)
    entry = AuditEntry(
        number=number + 1, at=at, actor=actor.name, organisation=actor.organisation or "", address=actor.address,
        verb=verb.value, about=about, details=details,
    )  # fmt: skip
    entry = replace(entry, hash=entry.chained(before))
    values: dict[str, Any] = {
        "number": entry.number, "at": to_text(entry.at), "actor": entry.actor, "organisation": entry.organisation,
        "address": entry.address, "verb": entry.verb, "about": entry.about,
        "details": json.dumps(dict(entry.details), sort_keys=True, ensure_ascii=False), "hash": entry.hash,
    }  # fmt: skip
    db.execute(insert(AUDIT).values(values))
    return entry


def load_entries(
    db: Connection, *, organisation: str | None = None, about: str | None = None, after: int = 0, limit: int = 100
) -> tuple[AuditEntry, ...]:
    """Entries in order, from the one after number `after`: all, or those of one organisation or about one thing."""
    query = select(AUDIT).where(AUDIT.c.number > after).order_by(AUDIT.c.number).limit(limit)
    if organisation is not None:
        query = query.where(AUDIT.c.organisation == organisation)
    if about is not None:
        query = query.where(AUDIT.c.about == about)
    return tuple(_entry(row) for row in db.execute(query).mappings())


def newest_entries(
    db: Connection, *, organisation: str | None = None, about: str | None = None, limit: int = 100
) -> tuple[AuditEntry, ...]:
    """The last entries, in order: of all, or of those of one organisation or about one thing."""
    query = select(AUDIT).order_by(AUDIT.c.number.desc()).limit(limit)
    if organisation is not None:
        query = query.where(AUDIT.c.organisation == organisation)
    if about is not None:
        query = query.where(AUDIT.c.about == about)
    return tuple(reversed([_entry(row) for row in db.execute(query).mappings()]))


def has_entry(db: Connection, hash_: str) -> bool:
    """Whether an entry has this hash: one that was noted elsewhere, and that a cut end would have lost."""
    return db.execute(select(AUDIT.c.number).where(AUDIT.c.hash == hash_)).first() is not None


def verify(db: Connection) -> tuple[int, int | None]:
    """How many entries the chain has, and the number of the first that does not fit; None when it is whole.

    A tail that was cut off shows by nothing in the chain: compare count and last hash with a copy kept elsewhere.
    """
    before, count = BEGIN, 0
    for row in db.execute(select(AUDIT).order_by(AUDIT.c.number)).mappings():
        entry, count = _entry(row), count + 1
        if entry.number != count or entry.hash != entry.chained(before):
            return count, count
        before = entry.hash
    return count, None


def _entry(row: RowMapping) -> AuditEntry:
    return AuditEntry(
        number=row["number"], at=from_text(row["at"]), actor=row["actor"], organisation=row["organisation"],
        address=row["address"], verb=row["verb"], about=row["about"], details=json.loads(row["details"]),
        hash=row["hash"],
    )  # fmt: skip
