from dataclasses import dataclass
from datetime import datetime

from control.agreements.lifecycle import State, Step
from control.agreements.terms import Terms
from kernel import AgreementId, OrganisationId, SystemId, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """terms_hash   of the deed (see deed.py) when it was written down; it stands in every grant and ledger line
    valid        as agreed, or shorter when another agreement has replaced this one
    state        as decided; see state_at
    since        when the last step was taken
    replaces     the agreement that this one follows, and ends by being approved
    delegation   the delegation under which it was approved; None when the municipality decided itself
    sound        whether what stands in the database is what was written down: what is not, is not in force
    """

    id: AgreementId
    municipality: OrganisationId
    system: SystemId
    terms: Terms
    terms_hash: str
    valid: Window
    state: State
    since: datetime
    replaces: AgreementId | None = None
    delegation: str | None = None
    sound: bool = True

    def live(self, at: datetime) -> bool:
        return self.state is State.APPROVED and at in self.valid and self.sound

    def state_at(self, at: datetime) -> State:
        """The state at a time after the last step: what was decided, or EXPIRED."""
        if self.state in {State.APPROVED, State.SUSPENDED} and self.valid.end is not None and self.valid.end <= at:
            return State.EXPIRED
        return self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementStep:
    """A line of an agreement's history: what was done, by whom, and the state after it."""

    agreement: AgreementId
    number: int
    step: Step
    state: State
    by: str
    at: datetime
    note: str
