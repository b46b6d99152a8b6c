"""Deliveries and limits, which know nothing of each other: a delivery is a call of its agreement and purpose."""

from dataclasses import dataclass

from control import Counters, purpose_of
from control.errors import PurposeMissing, PurposeUnknown, QuotaExhausted
from extract.delivery.faults import QuotaUsedUp, SubscriptionInvalid
from extract.delivery.subscription import Subscription
from kernel import Clock, Grant, PlatformError, Purpose


@dataclass(frozen=True, slots=True)
class Limits:
    """A `Quota` of the counters that calls are counted with."""

    counters: Counters
    clock: Clock

    def refusal(self, subscription: Subscription, grant: Grant) -> PlatformError | None:
        try:
            purpose = served_purpose(grant, subscription.wish.purpose)
            return _in_words_of_deliveries(self.counters.refusal(grant, purpose, self.clock.now()))
        except PlatformError as why:
            return why

    def count(self, subscription: Subscription, grant: Grant) -> PlatformError | None:
        try:
            self.counters.admit(grant, served_purpose(grant, subscription.wish.purpose), self.clock.now())
        except PlatformError as why:
            return _in_words_of_deliveries(why)
        return None


def served_purpose(grant: Grant, named: str | None) -> Purpose | None:
    """The purpose that deliveries count for; None when the agreement has none. Raises SubscriptionInvalid."""
    try:
        return purpose_of(grant, named)
    except (PurposeMissing, PurposeUnknown):
        given = f"one of {', '.join(sorted(grant.purposes))}" if grant.purposes else "left out: the agreement has none"
        raise SubscriptionInvalid(
            "the subscription does not say which of the agreement's purposes it serves",
            remedy=f"purpose must be {given}; add a subscription that says so",
            rule="agreement.purposes",
            owner=f"municipality {grant.municipality_cvr}",
        ) from None


def _in_words_of_deliveries(why: PlatformError | None) -> PlatformError | None:
    """A used-up quota holds a delivery back; what is over in a minute stays as it is."""
    if not isinstance(why, QuotaExhausted):
        return why
    return QuotaUsedUp(
        why.message,
        remedy="wait, or ask the municipality for a higher limit",
        rule=why.rule,
        owner=why.owner,
        retry_after_s=why.retry_after_s,
        next=why.next,
    )
