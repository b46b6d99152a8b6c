"""Why an agreement does not carry a call: the words for each state it can be in. Pure."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from control.agreements import State
from control.covered import Covered
from control.errors import AgreementNotLive, OrganisationNotActive, ProcessingAgreementMissing
from control.organisations import OrganisationState
from control.times import shown
from kernel import PlatformError

# In the order in which they say most about why a call is refused: of two agreements that both do not carry it, the
# caller is told about the one that is nearest to carrying it.
_WORDS: Final[Mapping[State, tuple[str, str]]] = {
    State.SUSPENDED: ("is suspended since {since}", "ask the municipality to resume it"),
    State.APPROVED: (
        "is in force from {start}",
        "call again from then on, or ask the municipality for an earlier start",
    ),
    State.REQUESTED: ("awaits approval since {since}", "wait for the municipality to approve it"),
    State.EXPIRED: ("ended {end}", "request a new agreement from the municipality"),
    State.TERMINATED: ("was terminated {since}", "request a new agreement from the municipality"),
    State.REJECTED: ("was rejected {since}", "ask the municipality why, and request a new agreement"),
    State.WITHDRAWN: ("was withdrawn {since}", "request a new agreement from the municipality"),
    State.DRAFT: ("is a draft since {since}", "send it to the municipality as a request"),
}
_NEAREST: Final = {state: place for place, state in enumerate(_WORDS)}


def most_telling(candidates: Iterable[Covered], at: datetime) -> Covered:
    """Of several agreements that are not live, the one to tell the caller about: the newest of the nearest."""
    newest_first = sorted(candidates, key=lambda each: each.agreement.since, reverse=True)
    return min(newest_first, key=lambda each: _NEAREST[each.agreement.state_at(at)])


def not_active(cvr: str, state: OrganisationState, **known: Any) -> OrganisationNotActive:
    """The refusal for an organisation that is not in good standing."""
    remedies = {
        OrganisationState.APPLIED: "wait for the operator to confirm the organisation",
        OrganisationState.SUSPENDED: "ask the operator why, and to resume it",
    }
    return OrganisationNotActive(
        f"the organisation with CVR {cvr} is {state.value}",
        remedy=remedies.get(state, "ask the operator"),
        rule="organisation.standing",
        owner="the operator",
        **known,
    )


def not_live(covered: Covered, at: datetime) -> PlatformError:
    """The refusal for an agreement that does not carry calls at `at`."""
    if covered.agreement.live(at):
        return _not_served(covered, at)
    if not covered.agreement.sound:
        return _not_sound(covered)
    agreement, state = covered.agreement, covered.agreement.state_at(at)
    why, remedy = _WORDS[state]
    rules = {State.APPROVED: "agreement.valid_from", State.EXPIRED: "agreement.valid_to"}
    end = agreement.valid.end
    told = why.format(
        since=shown(agreement.since), start=shown(agreement.valid.start), end=shown(end) if end else "never"
    )
    return AgreementNotLive(
        f"the agreement {agreement.id} {told}",
        remedy=remedy,
        rule=rules.get(state, "agreement.state"),
        owner=f"municipality {covered.grant.municipality_cvr}",
        ends=end,
        next=agreement.valid.start if state is State.APPROVED else None,
        agreement=agreement.id,
        municipality_cvr=covered.grant.municipality_cvr,
    )


def _not_sound(covered: Covered) -> PlatformError:
    return AgreementNotLive(
        f"the agreement {covered.agreement.id} is not in the database as it was written down",
        remedy="ask the operator to restore it",
        rule="agreement.hash",
        owner="the operator",
        agreement=covered.agreement.id,
        municipality_cvr=covered.grant.municipality_cvr,
    )


def _not_served(covered: Covered, at: datetime) -> PlatformError:
    cvr, agreement = covered.grant.municipality_cvr, covered.agreement.id
    if covered.standing is not OrganisationState.CONFIRMED:
        return not_active(cvr, covered.standing, agreement=agreement, municipality_cvr=cvr)
    coming = sorted(window.start for window in covered.processing or () if window.start > at)
    return ProcessingAgreementMissing(
        f"the municipality {cvr} has no data-processing agreement in force",
        remedy="have the municipality's data controller or the operator record it",
        rule="municipality.processing_agreement",
        owner=f"municipality {cvr}",
        next=coming[0] if coming else None,
        agreement=agreement,
        municipality_cvr=cvr,
    )
