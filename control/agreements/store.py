from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from control.agreements.lifecycle import State, Step, advance
from control.agreements.values import Agreement, AgreementStep, Terms
from control.errors import AgreementTaken, Unregistered
from control.tables import AGREEMENT_STEPS, AGREEMENTS
from control.times import from_text, from_text_or_none, to_text
from kernel import AgreementId, OrganisationId, SystemId, Window


def add_agreement(db: Connection, agreement: Agreement) -> None:
    values: dict[str, Any] = {
        "id": agreement.id,
        "municipality": agreement.municipality,
        "system": agreement.system,
        "terms": agreement.terms.to_json(),
        "terms_hash": agreement.terms.hash,
        "valid_from": to_text(agreement.valid.start),
        "valid_to": to_text(agreement.valid.end) if agreement.valid.end else None,
        "state": agreement.state.value,
    }
    db.execute(insert(AGREEMENTS).values(values))


def find_agreement(db: Connection, agreement: AgreementId) -> Agreement | None:
    row = db.execute(select(AGREEMENTS).where(AGREEMENTS.c.id == agreement)).mappings().first()
    return None if row is None else _agreement(row)


def load_agreements(db: Connection, system: SystemId | None = None) -> tuple[Agreement, ...]:
    query = select(AGREEMENTS).order_by(AGREEMENTS.c.id)
    if system is not None:
        query = query.where(AGREEMENTS.c.system == system)
    return tuple(_agreement(row) for row in db.execute(query).mappings())


def take_step(db: Connection, agreement: AgreementId, step: Step, *, by: str, at: datetime, note: str) -> Agreement:
    """Change an agreement's state and write the history, in the caller's transaction.

    Raises Unregistered, IllegalStep, and AgreementTaken when another agreement in force covers one of its services
    for the same system and municipality at the same time.
    """
    found = find_agreement(db, agreement)
    if found is None:
        raise Unregistered("no such agreement", remedy="check the agreement's id")
    state = advance(found.state, step)
    if state is State.APPROVED:
        _ensure_free(db, found)
    db.execute(update(AGREEMENTS).where(AGREEMENTS.c.id == agreement).values(state=state.value))
    counted = select(func.count()).select_from(AGREEMENT_STEPS).where(AGREEMENT_STEPS.c.agreement == agreement)
    values: dict[str, Any] = {
        "agreement": agreement,
        "number": db.execute(counted).scalar_one() + 1,
        "step": step.value,
        "state": state.value,
        "by": by,
        "at": to_text(at),
        "note": note,
    }
    db.execute(insert(AGREEMENT_STEPS).values(values))
    return Agreement(
        id=found.id,
        municipality=found.municipality,
        system=found.system,
        terms=found.terms,
        valid=found.valid,
        state=state,
    )


def load_steps(db: Connection, agreement: AgreementId) -> tuple[AgreementStep, ...]:
    query = select(AGREEMENT_STEPS).where(AGREEMENT_STEPS.c.agreement == agreement).order_by(AGREEMENT_STEPS.c.number)
    return tuple(
        AgreementStep(
            agreement=AgreementId(row["agreement"]),
            number=row["number"],
            step=Step(row["step"]),
            state=State(row["state"]),
            by=row["by"],
            at=from_text(row["at"]),
            note=row["note"],
        )
        for row in db.execute(query).mappings()
    )


def _ensure_free(db: Connection, agreement: Agreement) -> None:
    # A call may name only the system, the municipality and the service: they must lead to one agreement.
    for other in load_agreements(db, agreement.system):
        both = other.terms.services.keys() & agreement.terms.services.keys()
        if (
            other.id != agreement.id
            and other.municipality == agreement.municipality
            and other.state in {State.APPROVED, State.SUSPENDED}
            and _overlap(other.valid, agreement.valid)
            and both
        ):
            raise AgreementTaken(
                f"agreement {other.id} covers {', '.join(sorted(both))} for the same system and municipality",
                remedy="terminate that one first, or leave the service out",
                rule="agreement.one_live_per_service",
            )


def _overlap(one: Window, other: Window) -> bool:
    return (one.end is None or other.start < one.end) and (other.end is None or one.start < other.end)


def _agreement(row: RowMapping) -> Agreement:
    return Agreement(
        id=AgreementId(row["id"]),
        municipality=OrganisationId(row["municipality"]),
        system=SystemId(row["system"]),
        terms=Terms.from_json(row["terms"]),
        valid=Window(from_text(row["valid_from"]), from_text_or_none(row["valid_to"])),
        state=State(row["state"]),
    )
