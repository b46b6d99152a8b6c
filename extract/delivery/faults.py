"""What can go wrong with subscriptions and deliveries."""

from typing import Final

from extract.errors import ExchangeBoxFull, ShelfFull
from kernel import CallerMistake, DiskFull, NotAllowed, NotFound, OperatorMistake, RequestInvalid, TryAgainLater


class DeliveryStepRefused(CallerMistake):
    code = "delivery_step_refused"
    status = 409
    title = "The delivery cannot take this step"


class DeliveryUnknown(NotFound):
    code = "delivery_unknown"
    title = "There is no such delivery"


class SubscriptionUnknown(NotFound):
    code = "subscription_unknown"
    title = "There is no such subscription"


class SubscriptionInvalid(RequestInvalid):
    code = "subscription_invalid"
    title = "The subscription cannot be taken as it is"


class SubscriptionStepRefused(CallerMistake):
    code = "subscription_step_refused"
    status = 409
    title = "The subscription cannot take this step"


class SubscriptionLimit(CallerMistake):
    code = "subscription_limit"
    status = 409
    title = "There are too many subscriptions"


class TargetRefused(NotAllowed):
    code = "target_refused"
    title = "Nothing is sent to that address"


class TargetInvalid(RequestInvalid):
    code = "target_invalid"
    title = "The target of the deliveries cannot be used as it is"


class TargetUnreachable(TryAgainLater):
    code = "target_unreachable"
    title = "The receiver cannot be reached"


class TargetDenied(TryAgainLater):
    code = "target_denied"
    title = "The receiver does not let us in"


class TargetUntrusted(TryAgainLater):
    code = "target_untrusted"
    title = "The receiver is not who it should be"


class TargetFaulty(TryAgainLater):
    code = "target_faulty"
    title = "The receiver does not take the delivery"


class LeaseLost(TryAgainLater):
    code = "lease_lost"
    title = "Another worker has taken the delivery over"


class DeliveriesStopped(TryAgainLater):
    code = "deliveries_stopped"
    title = "The platform is stopping"


class DeliveryKeyInvalid(OperatorMistake):
    code = "delivery_key_invalid"
    title = "The key that deliveries are sent with cannot be used"


class QuotaUsedUp(TryAgainLater):
    code = "delivery_quota_used_up"
    title = "The limits of the agreement hold the delivery back"


class CircleFilterInvalid(RequestInvalid):
    code = "circle_filter_invalid"
    title = "The filter of a circle is not as it must be"


class CircleFull(CallerMistake):
    code = "circle_full"
    status = 409
    title = "The circle has as many filters as it may"


class CircleKeyInvalid(OperatorMistake):
    code = "circle_key_invalid"
    title = "The key of the circles is not the one they were kept under"


WAITS_FOR_ROOM: Final = (QuotaUsedUp, ShelfFull, ExchangeBoxFull, DiskFull)
"""What holds a delivery back without counting as an attempt: it leaves by itself when there is room."""
HELD_CODES: Final = frozenset(each.code for each in WAITS_FOR_ROOM)
