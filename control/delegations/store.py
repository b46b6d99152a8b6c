from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from control.delegations.values import Delegation
from control.errors import Unregistered
from control.tables import DELEGATIONS
from control.times import from_text, from_text_or_none, to_text
from kernel import OrganisationId, ServiceName, Window


def add_delegation(db: Connection, delegation: Delegation) -> None:
    values: dict[str, Any] = {
        "id": delegation.id,
        "municipality": delegation.municipality,
        "supplier": delegation.supplier,
        "services": " ".join(sorted(delegation.services)),
        "valid_from": to_text(delegation.valid.start),
        "valid_to": to_text(delegation.valid.end) if delegation.valid.end else None,
        "given_by": delegation.given_by,
        "withdrawn": None,
    }
    db.execute(insert(DELEGATIONS).values(values))


def mark_withdrawn(db: Connection, delegation: str, at: datetime) -> None:
    db.execute(update(DELEGATIONS).where(DELEGATIONS.c.id == delegation).values(withdrawn=to_text(at)))


def find_delegation(db: Connection, delegation: str) -> Delegation:
    """Raises Unregistered."""
    for each in load_delegations(db):
        if each.id == delegation:
            return each
    raise Unregistered("no such delegation", remedy="list the delegations of the municipality")


def load_delegations(db: Connection) -> tuple[Delegation, ...]:
    """All of them, in the order in which they were given."""
    return tuple(
        Delegation(
            id=row["id"],
            municipality=OrganisationId(row["municipality"]),
            supplier=OrganisationId(row["supplier"]),
            services=frozenset(ServiceName(each) for each in row["services"].split()),
            valid=Window(from_text(row["valid_from"]), from_text_or_none(row["valid_to"])),
            given_by=row["given_by"],
            withdrawn=from_text_or_none(row["withdrawn"]),
        )
        for row in db.execute(select(DELEGATIONS).order_by(DELEGATIONS.c.id)).mappings()
    )


def live_delegation(
    db: Connection,
    *,
    municipality: OrganisationId,
    supplier: OrganisationId | None,
    services: Collection[ServiceName],
    at: datetime,
) -> Delegation | None:
    """The delegation under which a supplier may decide for a municipality on an agreement about these services."""
    for each in load_delegations(db):
        if (each.municipality, each.supplier) == (municipality, supplier) and each.live(at) and each.covers(services):
            return each
    return None
