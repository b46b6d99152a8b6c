"""In what capacity somebody takes a step in an agreement's life, and who sees it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from control.actors import Actor, Role, Verb, ensure_may
from control.agreements.lifecycle import State, Step
from control.agreements.values import Agreement
from control.errors import NotYours
from kernel import OrganisationId

_VERBS: Final = {
    Step.REQUEST: Verb.AGREEMENT_REQUEST,
    Step.WITHDRAW: Verb.AGREEMENT_REQUEST,
    Step.APPROVE: Verb.AGREEMENT_DECIDE,
    Step.REJECT: Verb.AGREEMENT_DECIDE,
    Step.RESUME: Verb.AGREEMENT_DECIDE,
    Step.SUSPEND: Verb.AGREEMENT_STOP,
    Step.TERMINATE: Verb.AGREEMENT_TERMINATE,
}
DELEGATED: Final = frozenset({Step.APPROVE, Step.REJECT, Step.SUSPEND})
"""What a supplier may decide in a municipality's name. To let run again what was stopped is the municipality's own."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """whose       in whose name the step is taken
    delegated   by somebody else, under a delegation
    """

    verb: Verb
    whose: OrganisationId
    delegated: bool = False


def capacity(actor: Actor, agreement: Agreement, supplier: OrganisationId, step: Step, *, delegate: bool) -> Capacity:
    """supplier   whose the system is
    delegate   whether the actor's organisation has a delegation that covers the agreement
    """
    if step not in _VERBS:
        return Capacity(Verb.HOUSE_KEEP, agreement.municipality)
    verb = _VERBS[step]
    if verb is Verb.AGREEMENT_REQUEST:
        return Capacity(verb, supplier)
    own = actor.house or (actor.organisation == agreement.municipality and Role.DATA_CONTROLLER in actor.roles)
    if not own and step is Step.TERMINATE:
        return Capacity(Verb.AGREEMENT_LEAVE, supplier)
    if not own and delegate and step in DELEGATED and Role.ADMINISTRATOR in actor.roles and actor.organisation:
        return Capacity(Verb.AGREEMENT_DECIDE_FOR, actor.organisation, delegated=True)
    return Capacity(verb, agreement.municipality)


def may(actor: Actor, verb: Verb, *whose: OrganisationId) -> bool:
    try:
        ensure_may(actor, verb, *whose)
    except NotYours:
        return False
    return True


def sees(actor: Actor, agreement: Agreement, supplier: OrganisationId, delegates: Iterable[OrganisationId]) -> bool:
    """delegates   who may decide on it for the municipality. A draft is its author's until it is sent."""
    parties = {supplier} if agreement.state is State.DRAFT else {supplier, agreement.municipality, *delegates}
    return may(actor, Verb.AGREEMENT_SEE, *parties)
