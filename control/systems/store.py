import json
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, insert, select, update

from control.errors import SshKeyRefused, SystemInvalid, Unregistered
from control.systems.rules import read_ssh_key, ssh_fingerprint
from control.systems.values import SshKey, System
from control.tables import CERTIFICATES, SSH_KEYS, SYSTEMS, TRIALS
from control.times import from_text, from_text_or_none, shown, to_text
from kernel import OrganisationId, SystemId

_SELECT: Final = select(
    SYSTEMS,
    select(TRIALS.c.passed).where(TRIALS.c.system == SYSTEMS.c.id).scalar_subquery().label("trial"),
)


def add_system(db: Connection, system: System) -> None:
    """Raises SystemInvalid when the organisation has a system of that name."""
    _ensure_name_free(db, system)
    values: dict[str, Any] = {
        "id": system.id,
        "organisation": system.organisation,
        "name": system.name,
        "purpose": system.purpose,
        "contact": system.contact,
        "created": to_text(system.created),
        "endpoints": json.dumps(system.endpoints),
        "retired": None,
    }
    db.execute(insert(SYSTEMS).values(values))


def change_system(db: Connection, system: System) -> None:
    """Write name, purpose, contact and endpoints anew. Raises SystemInvalid when another one has the name."""
    _ensure_name_free(db, system)
    values: dict[str, Any] = {
        "name": system.name,
        "purpose": system.purpose,
        "contact": system.contact,
        "endpoints": json.dumps(system.endpoints),
    }
    db.execute(update(SYSTEMS).where(SYSTEMS.c.id == system.id).values(values))


def retire_system(db: Connection, system: SystemId, at: datetime) -> None:
    """For ever, with its certificates and keys. One that was retired before keeps its first day."""
    mine = (SYSTEMS.c.id == system) & SYSTEMS.c.retired.is_(None)
    db.execute(update(SYSTEMS).where(mine).values(retired=to_text(at)))
    for table in (CERTIFICATES, SSH_KEYS):
        live = (table.c.system == system) & table.c.revoked.is_(None)
        db.execute(update(table).where(live).values(revoked=to_text(at)))


def ensure_in_use(db: Connection, system: SystemId) -> System:
    """The system. Raises Unregistered, and SystemInvalid for one that was retired."""
    found = find_system(db, system)
    if found is None:
        raise Unregistered("no such system", remedy="register it first")
    if found.retired is not None:
        raise SystemInvalid(
            f"the system was retired {shown(found.retired)}",
            remedy="register a new one",
            rule="system.retired",
        )
    return found


def find_system(db: Connection, system: SystemId) -> System | None:
    row = db.execute(_SELECT.where(SYSTEMS.c.id == system)).mappings().first()
    return None if row is None else _system(row)


def found_system(db: Connection, system: SystemId) -> System:
    """Raises Unregistered."""
    found = find_system(db, system)
    if found is None:
        raise Unregistered("no such system", remedy="register it first")
    return found


def load_systems(db: Connection) -> dict[SystemId, System]:
    return {SystemId(row["id"]): _system(row) for row in db.execute(_SELECT).mappings()}


def bind_ssh_key(db: Connection, system: SystemId, public_key: str, at: datetime) -> SshKey:
    """Raises SshKeyRefused for a key that may not be bound, or that is bound already, to whichever system."""
    fingerprint = ssh_fingerprint(public_key)
    if db.execute(select(SSH_KEYS.c.system).where(SSH_KEYS.c.fingerprint == fingerprint)).first() is not None:
        raise SshKeyRefused(
            "it is or was bound to a system already",
            remedy="a key works for exactly one system; make another",
            rule="ssh_key.one_system",
        )
    key = SshKey(fingerprint=fingerprint, system=system, public_key=read_ssh_key(public_key), bound=at, revoked=None)
    values: dict[str, Any] = {
        "fingerprint": key.fingerprint,
        "system": key.system,
        "public_key": key.public_key,
        "bound": to_text(at),
        "revoked": None,
    }
    db.execute(insert(SSH_KEYS).values(values))
    return key


def system_of_key(db: Connection, fingerprint: str) -> SystemId:
    """The system that an SSH key is or was bound to. Raises Unregistered."""
    found = db.execute(select(SSH_KEYS.c.system).where(SSH_KEYS.c.fingerprint == fingerprint)).first()
    if found is None:
        raise Unregistered("no such SSH key is bound", remedy="give the SHA-256 of the key blob in hex")
    return SystemId(found.system)


def revoke_ssh_key(db: Connection, fingerprint: str, at: datetime) -> None:
    """A key that was revoked before keeps its first day."""
    mine = SSH_KEYS.c.fingerprint == fingerprint
    db.execute(update(SSH_KEYS).where(mine & SSH_KEYS.c.revoked.is_(None)).values(revoked=to_text(at)))


def load_ssh_keys(db: Connection, system: SystemId | None = None) -> tuple[SshKey, ...]:
    query = select(SSH_KEYS)
    if system is not None:
        query = query.where(SSH_KEYS.c.system == system)
    return tuple(
        SshKey(
            fingerprint=row["fingerprint"],
            system=SystemId(row["system"]),
            public_key=row["public_key"],
            bound=from_text(row["bound"]),
            revoked=from_text_or_none(row["revoked"]),
        )
        for row in db.execute(query).mappings()
    )


def _system(row: RowMapping) -> System:
    return System(
        id=SystemId(row["id"]),
        organisation=OrganisationId(row["organisation"]),
        name=row["name"],
        purpose=row["purpose"],
        contact=row["contact"],
        created=from_text(row["created"]),
        endpoints=tuple(json.loads(row["endpoints"])),
        retired=from_text_or_none(row["retired"]),
        trial=from_text_or_none(row["trial"]),
    )


def _ensure_name_free(db: Connection, system: System) -> None:
    same = (SYSTEMS.c.organisation == system.organisation) & (SYSTEMS.c.name == system.name)
    if db.execute(select(SYSTEMS.c.id).where(same & (SYSTEMS.c.id != system.id))).first() is not None:
        raise SystemInvalid(f"the organisation has a system {system.name!r} already", remedy="choose another name")
