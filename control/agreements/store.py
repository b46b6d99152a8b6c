from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, update

from control.agreements.deed import Deed, hash_of, read_terms
from control.agreements.lifecycle import State, Step, advance
from control.agreements.rules import ensure_free
from control.agreements.terms import ServiceTerms, Terms
from control.agreements.values import Agreement, AgreementStep
from control.errors import AgreementInvalid, Unregistered
from control.tables import AGREEMENT_STEPS, AGREEMENTS, SYSTEMS
from control.texts import ensure_name, ensure_text
from control.times import from_text, from_text_or_none, to_text
from kernel import AgreementId, OrganisationId, ServiceName, SystemId, Window

_SELECT: Final = select(
    AGREEMENTS,
    # The last line of the history says since when the state holds.
    select(func.max(AGREEMENT_STEPS.c.at))
    .where(AGREEMENT_STEPS.c.agreement == AGREEMENTS.c.id)
    .scalar_subquery()
    .label("since"),
)
_UNREADABLE: Final = Terms(
    services={ServiceName("unreadable"): ServiceTerms()}, purpose="-", legal_basis="-", reason="-"
)


def add_agreement(db: Connection, deed: Deed, *, by: str, at: datetime, note: str = "") -> Agreement:
    """Write down a draft, with the first line of its history."""
    text = deed.text
    values: dict[str, Any] = {
        "id": deed.id,
        "municipality": deed.municipality.id,
        "system": deed.system,
        "terms": text,
        "terms_hash": hash_of(text),
        "valid_from": to_text(deed.valid.start),
        "valid_to": to_text(deed.valid.end) if deed.valid.end else None,
        "state": State.DRAFT.value,
        "replaces": deed.replaces,
    }
    db.execute(insert(AGREEMENTS).values(values))
    _write_step(db, deed.id, Step.DRAFT, State.DRAFT, by=by, at=at, note=note)
    return found_agreement(db, deed.id)


def find_agreement(db: Connection, agreement: AgreementId) -> Agreement | None:
    row = db.execute(_SELECT.where(AGREEMENTS.c.id == agreement)).mappings().first()
    return None if row is None else _agreement(row, {})


def found_agreement(db: Connection, agreement: AgreementId) -> Agreement:
    """Raises Unregistered."""
    found = find_agreement(db, agreement)
    if found is None:
        raise Unregistered("no such agreement", remedy="check the agreement's id")
    return found


def load_agreements(
    db: Connection,
    system: SystemId | None = None,
    *,
    parties: Collection[OrganisationId] | None = None,
    known: Mapping[AgreementId, Agreement] | None = None,
) -> tuple[Agreement, ...]:
    """All agreements, or those of one system, in the order in which they were made.

    parties   only those in which one of these organisations is a party, on either side
    known     agreements as they were once: their terms, which never change, are taken from there instead of read anew
    """
    query = _SELECT.order_by(AGREEMENTS.c.id)
    if system is not None:
        query = query.where(AGREEMENTS.c.system == system)
    if parties is not None:
        theirs = select(SYSTEMS.c.id).where(SYSTEMS.c.organisation.in_(parties))
        query = query.where(AGREEMENTS.c.municipality.in_(parties) | AGREEMENTS.c.system.in_(theirs))
    return tuple(_agreement(row, known or {}) for row in db.execute(query).mappings())


def load_deed(db: Connection, agreement: AgreementId) -> tuple[str, Deed | None]:
    """What was written down, as text and as a value; the value is None for an agreement of the first release.

    Raises Unregistered, and AgreementInvalid when the text is not what its hash says.
    """
    row = db.execute(select(AGREEMENTS).where(AGREEMENTS.c.id == agreement)).mappings().first()
    if row is None:
        raise Unregistered("no such agreement", remedy="check the agreement's id")
    terms, deed, sound = _read(row)
    del terms
    if not sound:
        raise AgreementInvalid(
            f"what stands in the database of agreement {agreement} is not what was written down",
            remedy="the operator restores it from a copy",
            rule="agreement.hash",
        )
    return row["terms"], deed


def take_step(db: Connection, agreement: AgreementId, step: Step, *, by: str, at: datetime, note: str) -> Agreement:
    """Change an agreement's state and write the history, in the caller's transaction.

    Raises Unregistered, IllegalStep, and AgreementTaken when another agreement in force covers one of its services
    for the same system and municipality at the same time.
    """
    found = found_agreement(db, agreement)
    done = replace(found, state=advance(found.state_at(at), step), since=at)
    if done.state is State.APPROVED:
        ensure_free(done, load_agreements(db, done.system), at)
    _write_state(db, agreement, step, done.state, by=by, at=at, note=note)
    return done


def end_by_replacement(db: Connection, agreement: AgreementId, *, end: datetime, by: str, at: datetime) -> None:
    """Let an agreement end at `end`, where its successor begins; its deed stays as it is. Raises IllegalStep."""
    found = found_agreement(db, agreement)
    after = advance(found.state_at(at), Step.REPLACE)
    db.execute(update(AGREEMENTS).where(AGREEMENTS.c.id == agreement).values(replaced=to_text(end)))
    _write_state(db, agreement, Step.REPLACE, after, by=by, at=at, note=f"It ends {to_text(end)}.")


def set_delegation(db: Connection, agreement: AgreementId, delegation: str | None) -> None:
    """Note under which delegation an agreement was decided on; None: by the municipality itself."""
    db.execute(update(AGREEMENTS).where(AGREEMENTS.c.id == agreement).values(delegation=delegation))


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


def _write_state(
    db: Connection, agreement: AgreementId, step: Step, state: State, *, by: str, at: datetime, note: str
) -> None:
    db.execute(update(AGREEMENTS).where(AGREEMENTS.c.id == agreement).values(state=state.value))
    _write_step(db, agreement, step, state, by=by, at=at, note=note)


def _write_step(
    db: Connection, agreement: AgreementId, step: Step, state: State, *, by: str, at: datetime, note: str
) -> None:
    ensure_name(by, "the name of whoever takes the step", AgreementInvalid)
    ensure_text(note or "-", "the note", AgreementInvalid)
    before = select(func.count()).select_from(AGREEMENT_STEPS).where(AGREEMENT_STEPS.c.agreement == agreement)
    values: dict[str, Any] = {
        "agreement": agreement,
        "number": db.execute(before).scalar_one() + 1,
        "step": step.value,
        "state": state.value,
        "by": by,
        "at": to_text(at),
        "note": note,
    }
    db.execute(insert(AGREEMENT_STEPS).values(values))


def _agreement(row: RowMapping, known: Mapping[AgreementId, Agreement]) -> Agreement:
    agreement = AgreementId(row["id"])
    before = known.get(agreement)
    terms, sound = (before.terms, before.sound) if before is not None else _read(row)[::2]
    valid = _window(row)
    if before is not None and before.valid == valid:
        # The same object, so that whoever made something of it sees at once that nothing has changed.
        valid = before.valid
    return Agreement(
        id=agreement,
        municipality=OrganisationId(row["municipality"]),
        system=SystemId(row["system"]),
        terms=terms,
        terms_hash=row["terms_hash"],
        valid=valid,
        state=State(row["state"]),
        since=from_text(row["since"]),
        replaces=None if row["replaces"] is None else AgreementId(row["replaces"]),
        delegation=row["delegation"],
        sound=sound,
    )


def _read(row: RowMapping) -> tuple[Terms, Deed | None, bool]:
    """(terms, deed, whether the row says what was written down). A row that somebody changed by hand grants nothing."""
    try:
        terms, deed = read_terms(row["terms"])
    except (ValueError, KeyError, TypeError, AttributeError, AgreementInvalid):
        return _UNREADABLE, None, False
    sound = hash_of(row["terms"]) == row["terms_hash"]
    if deed is not None:
        said = (deed.id, deed.municipality.id, deed.system, deed.valid)
        written = Window(from_text(row["valid_from"]), from_text_or_none(row["valid_to"]))
        sound = sound and said == (row["id"], row["municipality"], row["system"], written)
    return terms, deed, sound


def _window(row: RowMapping) -> Window:
    ends = [each for each in (row["valid_to"], row["replaced"]) if each is not None]
    return Window(from_text(row["valid_from"]), from_text(min(ends)) if ends else None)
