"""Who changes what: actors, their roles, and a table of who may take which step. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from control.errors import NotYours
from kernel import OrganisationId


class Role(StrEnum):
    """ADMINISTRATOR      users, roles, and the organisation's own data
    USER               registers systems, requests agreements, sees usage
    DATA_CONTROLLER    decides on agreements in the municipality's name (databehandlingsansvarlig)
    OPERATOR           runs the platform: confirms, sees everything, stops what must be stopped
    """

    ADMINISTRATOR = "administrator"
    USER = "user"
    DATA_CONTROLLER = "data_controller"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Somebody who changes something.

    name           as histories show it, on one line
    roles          what they are in their organisation
    organisation   whose they are; None for the house itself
    address        from where: an IP address, or `command line`
    house          may take every step: whoever has the machine has the database too
    user           id of the user that they are; None for the house and for systems
    """

    name: str
    roles: frozenset[Role] = frozenset()
    organisation: OrganisationId | None = None
    address: str = "command line"
    house: bool = False
    user: str | None = None


HOUSE: Final = Actor(name="the platform", house=True)


class Verb(StrEnum):
    """Every kind of change, as the audit trail names it."""

    ORGANISATION_ADD = "organisation.add"
    ORGANISATION_APPLY = "organisation.apply"
    ORGANISATION_CONFIRM = "organisation.confirm"
    ORGANISATION_SUSPEND = "organisation.suspend"
    ORGANISATION_CHANGE = "organisation.change"
    ORGANISATION_SEE = "organisation.see"
    INBOX_READ = "inbox.read"
    PROCESSING_RECORD = "processing.record"
    PROCESSING_END = "processing.end"
    USER_CHANGE = "user.change"
    SYSTEM_REGISTER = "system.register"
    SYSTEM_CHANGE = "system.change"
    CERTIFICATE_BIND = "certificate.bind"
    CERTIFICATE_REVOKE = "certificate.revoke"
    KEY_BIND = "key.bind"
    KEY_REVOKE = "key.revoke"
    AGREEMENT_REQUEST = "agreement.request"
    AGREEMENT_DECIDE = "agreement.decide"
    AGREEMENT_STOP = "agreement.stop"
    AGREEMENT_TERMINATE = "agreement.terminate"
    AGREEMENT_LEAVE = "agreement.leave"
    """The supplier ends what it no longer needs."""
    AGREEMENT_DECIDE_FOR = "agreement.decide_for"
    """In a municipality's name, under its delegation."""
    AGREEMENT_SEE = "agreement.see"
    DELEGATION_CHANGE = "delegation.change"
    CATALOGUE_CHANGE = "catalogue.change"
    HOUSE_KEEP = "house.keep"
    """What follows from a rule or from time: reminders, a trial that passed."""


_A, _U, _D, _O = Role.ADMINISTRATOR, Role.USER, Role.DATA_CONTROLLER, Role.OPERATOR

MAY: Final[Mapping[Verb, frozenset[Role]]] = {
    Verb.ORGANISATION_ADD: frozenset({_O}),
    Verb.ORGANISATION_APPLY: frozenset({_A, _U, _D, _O}),
    Verb.ORGANISATION_CONFIRM: frozenset({_O}),
    Verb.ORGANISATION_SUSPEND: frozenset({_O}),
    Verb.ORGANISATION_CHANGE: frozenset({_A, _O}),
    Verb.ORGANISATION_SEE: frozenset({_A, _U, _D, _O}),
    Verb.INBOX_READ: frozenset({_A, _U, _D, _O}),
    Verb.PROCESSING_RECORD: frozenset({_D, _O}),
    Verb.PROCESSING_END: frozenset({_D, _O}),
    Verb.USER_CHANGE: frozenset({_A, _O}),
    Verb.SYSTEM_REGISTER: frozenset({_U}),
    Verb.SYSTEM_CHANGE: frozenset({_U}),
    Verb.CERTIFICATE_BIND: frozenset({_U}),
    Verb.CERTIFICATE_REVOKE: frozenset({_U, _A, _O}),
    Verb.KEY_BIND: frozenset({_U}),
    Verb.KEY_REVOKE: frozenset({_U, _A, _O}),
    Verb.AGREEMENT_REQUEST: frozenset({_U}),
    Verb.AGREEMENT_DECIDE: frozenset({_D}),
    # The operator may stop what must be stopped; only the municipality lets it run again.
    Verb.AGREEMENT_STOP: frozenset({_D, _O}),
    Verb.AGREEMENT_TERMINATE: frozenset({_D}),
    Verb.AGREEMENT_LEAVE: frozenset({_U}),
    Verb.AGREEMENT_DECIDE_FOR: frozenset({_A}),
    Verb.AGREEMENT_SEE: frozenset({_A, _U, _D, _O}),
    Verb.DELEGATION_CHANGE: frozenset({_D}),
    Verb.CATALOGUE_CHANGE: frozenset({_O}),
    Verb.HOUSE_KEEP: frozenset(),
}
"""Roles that may take a step. OPERATOR reaches into every organisation, the others only into their own."""


OPEN: Final = frozenset({Verb.ORGANISATION_APPLY})
"""Steps for everybody, also for those who are nobody here yet: they only ask."""


def ensure_may(actor: Actor, verb: Verb, *whose: OrganisationId) -> None:
    """whose   the organisations in whose name the step can be taken: one's own must be among them

    Raises NotYours.
    """
    if actor.house or verb in OPEN:
        return
    fitting = actor.roles & MAY[verb]
    if Role.OPERATOR in fitting or (fitting and actor.organisation in whose):
        return
    needed = " or ".join(sorted(role.value.replace("_", " ") for role in MAY[verb]))
    raise NotYours(
        f"the step {verb} is not yours to take here",
        remedy=f"it is for the {needed} of the organisation that it is about" if needed else "the platform takes it",
        rule=f"roles.{verb}",
    )
