"""The standing of an organisation, as a table. What is not in it cannot happen."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from control.errors import OrganisationInvalid


class OrganisationState(StrEnum):
    """Only a CONFIRMED one may do anything."""

    APPLIED = "applied"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    SUSPENDED = "suspended"


class OrganisationStep(StrEnum):
    CONFIRM = "confirm"
    REJECT = "reject"
    SUSPEND = "suspend"
    RESUME = "resume"


NEXT_STANDING: Final[Mapping[tuple[OrganisationState, OrganisationStep], OrganisationState]] = {
    (OrganisationState.APPLIED, OrganisationStep.CONFIRM): OrganisationState.CONFIRMED,
    (OrganisationState.APPLIED, OrganisationStep.REJECT): OrganisationState.REJECTED,
    # The operator may think again; a second application under the same CVR number is none.
    (OrganisationState.REJECTED, OrganisationStep.CONFIRM): OrganisationState.CONFIRMED,
    (OrganisationState.CONFIRMED, OrganisationStep.SUSPEND): OrganisationState.SUSPENDED,
    (OrganisationState.SUSPENDED, OrganisationStep.RESUME): OrganisationState.CONFIRMED,
}


def next_standing(state: OrganisationState, step: OrganisationStep) -> OrganisationState:
    """Raises OrganisationInvalid, which says what is possible instead."""
    try:
        return NEXT_STANDING[state, step]
    except KeyError:
        possible = [str(each) for (before, each) in NEXT_STANDING if before is state]
        raise OrganisationInvalid(
            f"an organisation that is {state} cannot take the step {step}",
            remedy=f"possible now: {', '.join(possible)}",
            rule="organisation.standing",
        ) from None
