"""What people are told of deliveries. Each is told in the transaction of what it tells: a worker that is killed before
has told nothing and done nothing, and what was done is told already, so none is lost and none comes twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from extract.delivery.alarms import Alarm, AlarmKind
from extract.delivery.faults import QuotaUsedUp
from extract.delivery.outbox_rows import Delivery
from extract.delivery.subscription import Subscription
from extract.errors import ExchangeBoxFull, ShelfFull
from kernel import CallerMistake, PlatformError

TOLD_BEFORE: Final = frozenset({AlarmKind.HELD, AlarmKind.DEAD})
"""Alarms of what people were told when it happened."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Words for people, without personal data."""

    subject: str
    text: str


Tell = Callable[[Connection, Subscription, Notice], None]
"""Tell those whom a subscription concerns, in a transaction of the deliveries."""


def of_withheld(subscription: Subscription, delivery: Delivery, refusal: PlatformError) -> Notice | None:
    """None for what waits a minute for its turn, which is worth no words, and for a full disk: it is the operator's own
    trouble.
    """
    if not isinstance(refusal, CallerMistake | QuotaUsedUp | ShelfFull | ExchangeBoxFull):
        return None
    carries = "an agreement carries it again" if isinstance(refusal, CallerMistake) else "there is room again"
    return Notice(
        "A delivery is withheld",
        f"Delivery {delivery.number} of the subscription {subscription.id} does not leave: {refusal.message}. "
        f"What to do: {refusal.remedy}. It is sent when {carries}.",
    )


def of_given_up(subscription: Subscription, delivery: Delivery, error: PlatformError) -> Notice:
    return Notice(
        "A delivery has been given up",
        f"Delivery {delivery.number} of the subscription {subscription.id} failed {delivery.attempts} times, the "
        f"last time because {error.message}. What to do: {error.remedy}; then: knudepunkt delivery "
        f"retry {delivery.id}. The later ones wait for it.",
    )


def of_refused(subscription: Subscription, delivery: Delivery, fault: PlatformError) -> Notice:
    return Notice(
        "A delivery was refused",
        f"Delivery {delivery.number} of the subscription {subscription.id}: {fault.message}. What to do: "
        f"{fault.remedy}; then: knudepunkt delivery retry {delivery.id}. The later ones wait for it.",
    )


def of_alarm(alarm: Alarm) -> Notice | None:
    """None for what they were told when it happened."""
    return None if alarm.kind in TOLD_BEFORE else Notice("A delivery waits", alarm.words)
