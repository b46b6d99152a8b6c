"""What the parties are told of an agreement's life, in the transaction of the step itself.

Notices leave by e-mail: they name organisations, systems and services, and no text that a person wrote.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from control.actors import Role
from control.agreements.lifecycle import Step
from control.agreements.values import Agreement
from control.notices import tell
from control.organisations import load_organisations
from control.systems import found_system
from control.times import shown

_DECIDERS: Final = frozenset({Role.DATA_CONTROLLER})
_USERS: Final = frozenset({Role.USER, Role.ADMINISTRATOR})

# To the supplier, and to the municipality: None where that side is not told.
_WORDS: Final[Mapping[Step, tuple[str | None, str | None]]] = {
    Step.REQUEST: (None, "{supplier} requests an agreement for its system {system}"),
    Step.WITHDRAW: (None, "{supplier} withdrew its request for the system {system}"),
    Step.APPROVE: ("{municipality} approved the agreement for the system {system}", None),
    Step.REJECT: ("{municipality} rejected the request for the system {system}", None),
    Step.SUSPEND: (
        "The agreement of {municipality} for the system {system} is suspended",
        "The agreement with {supplier} for the system {system} is suspended",
    ),
    Step.RESUME: ("The agreement of {municipality} for the system {system} is in force again", None),
    Step.TERMINATE: (
        "The agreement of {municipality} for the system {system} is terminated",
        "The agreement with {supplier} for the system {system} is terminated",
    ),
}


def tell_of_step(db: Connection, agreement: Agreement, step: Step, at: datetime, *, instead: str | None = None) -> None:
    """instead   what took the step in the municipality's place, a rule or another organisation: it is told of that"""
    system = found_system(db, agreement.system)
    organisations = load_organisations(db)
    supplier, municipality = organisations[system.organisation], organisations[agreement.municipality]
    named = {"supplier": supplier.name, "municipality": municipality.name, "system": system.name}
    to_supplier, to_municipality = _WORDS.get(step, (None, None))
    named["instead"] = instead or ""
    if instead and step is not Step.REQUEST:
        to_municipality = "{instead} took the step {step} for you, for the system {system} of {supplier}"
    for whose, roles, words in (
        (supplier.id, _USERS, to_supplier),
        (municipality.id, _DECIDERS, to_municipality),
    ):
        if words is not None:
            tell(
                db,
                to=whose,
                roles=roles,
                subject=words.format(**named, step=step.value),
                text=_text(agreement),
                about=f"agreement {agreement.id}",
                at=at,
            )


def _text(agreement: Agreement) -> str:
    end = agreement.valid.end
    return "\n".join(
        (
            f"Agreement: {agreement.id}",
            f"Services: {', '.join(sorted(agreement.terms.services))}",
            f"In force from {shown(agreement.valid.start)} {f'until {shown(end)}' if end else 'without an end'}",
            f"State: {agreement.state.value}",
            f"See it, with its history: knudepunkt agreement show {agreement.id}",
        )
    )
