"""The life of an agreement, as a table. What is not in it cannot happen.

Expiry is not a step: an agreement is out of force when its window ends, whether or not anybody looks.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from control.errors import IllegalStep


class State(StrEnum):
    """EXPIRED is never stored: it is what APPROVED and SUSPENDED become when the window ends."""

    DRAFT = "draft"
    REQUESTED = "requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"
    EXPIRED = "expired"


class Step(StrEnum):
    """DRAFT begins a history; no step leads back to it. REPLACE follows from the approval of the agreement's successor:
    it ends where the successor begins.
    """

    DRAFT = "draft"
    REQUEST = "request"
    WITHDRAW = "withdraw"
    APPROVE = "approve"
    REJECT = "reject"
    SUSPEND = "suspend"
    RESUME = "resume"
    REPLACE = "replace"
    TERMINATE = "terminate"


NEXT: Final[Mapping[tuple[State, Step], State]] = {
    (State.DRAFT, Step.REQUEST): State.REQUESTED,
    (State.DRAFT, Step.WITHDRAW): State.WITHDRAWN,
    (State.REQUESTED, Step.WITHDRAW): State.WITHDRAWN,
    (State.REQUESTED, Step.APPROVE): State.APPROVED,
    (State.REQUESTED, Step.REJECT): State.REJECTED,
    (State.APPROVED, Step.SUSPEND): State.SUSPENDED,
    (State.APPROVED, Step.REPLACE): State.APPROVED,
    (State.APPROVED, Step.TERMINATE): State.TERMINATED,
    (State.SUSPENDED, Step.RESUME): State.APPROVED,
    (State.SUSPENDED, Step.REPLACE): State.SUSPENDED,
    (State.SUSPENDED, Step.TERMINATE): State.TERMINATED,
}


def steps_from(state: State) -> tuple[Step, ...]:
    """The steps that somebody can take, in the order of the table; REPLACE is not among them, since it follows."""
    return tuple(step for (before, step) in NEXT if before is state and step is not Step.REPLACE)


def advance(state: State, step: Step) -> State:
    """Raises IllegalStep, which says what is possible instead."""
    try:
        return NEXT[state, step]
    except KeyError:
        possible = [str(each) for each in steps_from(state)]
        raise IllegalStep(
            f"an agreement that is {state} cannot take the step {step}",
            remedy=f"possible now: {', '.join(possible)}" if possible else "make a new agreement",
            rule="agreement.life_cycle",
        ) from None
