from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from control.agreements.lifecycle import State, Step, advance
from control.agreements.rules import ensure_free
from control.agreements.values import Agreement, AgreementStep, Terms
from control.errors import AgreementInvalid, Unregistered
from control.tables import AGREEMENT_STEPS, AGREEMENTS
from control.texts import ensure_name, ensure_text
from control.times import from_text, from_text_or_none, to_text
from kernel import AgreementId, OrganisationId, SystemId, Window

_SELECT: Final = select(
    AGREEMENTS,
    # The last line of the history says since when the state holds.
    select(func.max(AGREEMENT_STEPS.c.at))
    .where(AGREEMENT_STEPS.c.agreement == AGREEMENTS.c.id)
    .scalar_subquery()
    .label("since"),
)


def add_agreement(db: Connection, agreement: Agreement, *, by: str, note: str = "") -> None:
    """Write down a draft, with the first line of its history."""
    values: dict[str, Any] = {
        "id": agreement.id,
        "municipality": agreement.municipality,
        "system": agreement.system,
        "terms": agreement.terms.to_json(),
        "terms_hash": agreement.terms_hash,
        "valid_from": to_text(agreement.valid.start),
        "valid_to": to_text(agreement.valid.end) if agreement.valid.end else None,
        "state": agreement.state.value,
    }
    db.execute(insert(AGREEMENTS).values(values))
    _write_step(db, agreement, Step.DRAFT, by, note)


def find_agreement(db: Connection, agreement: AgreementId) -> Agreement | None:
    row = db.execute(_SELECT.where(AGREEMENTS.c.id == agreement)).mappings().first()
    return None if row is None else _agreement(row, {})


def load_agreements(
    db: Connection, system: SystemId | None = None, *, known: Mapping[AgreementId, Agreement] | None = None
) -> tuple[Agreement, ...]:
    """All agreements, or those of one system, in the order in which they were made.

    known   agreements as they were once: their terms, which never change, are taken from there instead of read anew
    """
    query = _SELECT.order_by(AGREEMENTS.c.id)
    if system is not None:
        query = query.where(AGREEMENTS.c.system == system)
    return tuple(_agreement(row, known or {}) for row in db.execute(query).mappings())


def take_step(db: Connection, agreement: AgreementId, step: Step, *, by: str, at: datetime, note: str) -> Agreement:
    """Change an agreement's state and write the history, in the caller's transaction.

    Raises Unregistered, IllegalStep, and AgreementTaken when another agreement in force covers one of its services
    for the same system and municipality at the same time.
    """
    found = find_agreement(db, agreement)
    if found is None:
        raise Unregistered("no such agreement", remedy="check the agreement's id")
    done = replace(found, state=advance(found.state_at(at), step), since=at)
    if done.state is State.APPROVED:
        ensure_free(done, load_agreements(db, done.system), at)
    db.execute(update(AGREEMENTS).where(AGREEMENTS.c.id == agreement).values(state=done.state.value))
    _write_step(db, done, step, by, note)
    return done


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


def _write_step(db: Connection, agreement: Agreement, step: Step, by: str, note: str) -> None:
    ensure_name(by, "the name of whoever takes the step", AgreementInvalid)
    ensure_text(note or "-", "the note", AgreementInvalid)
    before = select(func.count()).select_from(AGREEMENT_STEPS).where(AGREEMENT_STEPS.c.agreement == agreement.id)
    values: dict[str, Any] = {
        "agreement": agreement.id,
        "number": db.execute(before).scalar_one() + 1,
        "step": step.value,
        "state": agreement.state.value,
        "by": by,
        "at": to_text(agreement.since),
        "note": note,
    }
    db.execute(insert(AGREEMENT_STEPS).values(values))


def _agreement(row: RowMapping, known: Mapping[AgreementId, Agreement]) -> Agreement:
    agreement = AgreementId(row["id"])
    before = known.get(agreement)
    return Agreement(
        id=agreement,
        municipality=OrganisationId(row["municipality"]),
        system=SystemId(row["system"]),
        terms=Terms.from_json(row["terms"]) if before is None else before.terms,
        terms_hash=row["terms_hash"],
        valid=Window(from_text(row["valid_from"]), from_text_or_none(row["valid_to"])),
        state=State(row["state"]),
        since=from_text(row["since"]),
    )
