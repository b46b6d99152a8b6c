from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from control.errors import OrganisationInvalid
from control.organisations.lifecycle import OrganisationState
from control.organisations.values import Organisation, OrganisationKind
from control.tables import ORGANISATIONS
from control.times import from_text, to_text
from kernel import OrganisationId


def add_organisation(db: Connection, organisation: Organisation) -> None:
    """Raises OrganisationInvalid when the CVR number is registered already, or the municipality's code."""
    if find_organisation(db, organisation.cvr) is not None:
        raise OrganisationInvalid(
            f"CVR {organisation.cvr} is registered already", remedy="use the organisation that is there"
        )
    _ensure_code_free(db, organisation)
    values: dict[str, Any] = {
        "id": organisation.id,
        "kind": organisation.kind.value,
        "cvr": organisation.cvr,
        "name": organisation.name,
        "created": to_text(organisation.created),
        "state": organisation.state.value,
        "email": organisation.email,
        "code": organisation.code or None,
    }
    db.execute(insert(ORGANISATIONS).values(values))


def change_organisation(db: Connection, organisation: Organisation) -> None:
    """Name, e-mail address, standing and code as they are now; kind and CVR number never change.

    Raises OrganisationInvalid when another municipality has the code.
    """
    _ensure_code_free(db, organisation)
    values: dict[str, Any] = {
        "name": organisation.name, "email": organisation.email, "state": organisation.state.value,
        "code": organisation.code or None,
    }  # fmt: skip
    db.execute(update(ORGANISATIONS).where(ORGANISATIONS.c.id == organisation.id).values(values))


def find_organisation(db: Connection, cvr: str) -> Organisation | None:
    row = db.execute(select(ORGANISATIONS).where(ORGANISATIONS.c.cvr == cvr)).mappings().first()
    return None if row is None else _organisation(row)


def load_organisations(db: Connection) -> dict[OrganisationId, Organisation]:
    rows = db.execute(select(ORGANISATIONS)).mappings()
    return {OrganisationId(row["id"]): _organisation(row) for row in rows}


def _organisation(row: RowMapping) -> Organisation:
    return Organisation(
        id=OrganisationId(row["id"]),
        kind=OrganisationKind(row["kind"]),
        cvr=row["cvr"],
        name=row["name"],
        created=from_text(row["created"]),
        state=OrganisationState(row["state"]),
        email=row["email"] or "",
        code=row["code"] or "",
    )


def _ensure_code_free(db: Connection, organisation: Organisation) -> None:
    same = (ORGANISATIONS.c.code == organisation.code) & (ORGANISATIONS.c.id != organisation.id)
    if organisation.code and db.execute(select(ORGANISATIONS.c.id).where(same)).first() is not None:
        raise OrganisationInvalid(
            f"another municipality has the code {organisation.code}", remedy="one code is one municipality's"
        )
