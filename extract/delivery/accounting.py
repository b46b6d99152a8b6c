"""What the ledger hears of a push. The same push of the same bytes is always the same event, whoever says it and how
often: a courier that is killed between the ledger and the outbox says it twice, and it is counted once.
"""

import hashlib
import time
import uuid
from typing import Final

from extract.delivery.outbox_rows import Delivery
from extract.delivery.parcel import Parcel
from extract.delivery.subscription import Subscription
from kernel import CallAnswered, Channel, Clock, EventId, Grant, Operation, RowsDelivered, Timing, TraceId

ANSWERED: Final = "answered"
DELIVERED: Final = "delivered"


def trace_of(delivery: Delivery) -> TraceId:
    """The trace id of a delivery: its own id. What the ledger says of it is found by that."""
    return TraceId(uuid.UUID(delivery.id).hex)


def event_of(delivery: Delivery, parcel: Parcel, what: str) -> EventId:
    """A UUID of version 7 with the time of planning, so that ids sort by time as all others; the rest of it follows
    from the delivery, how often it was asked for, and its bytes.
    """
    milliseconds = int(delivery.planned.timestamp() * 1000)
    told = f"{what} {delivery.id} {delivery.round} {parcel.sha256}"
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(hashlib.sha256(told.encode()).digest()[:10])
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return EventId(str(uuid.UUID(int=value)))


def answered(
    subscription: Subscription, grant: Grant, delivery: Delivery, parcel: Parcel, clock: Clock
) -> CallAnswered:
    return CallAnswered(
        event=event_of(delivery, parcel, ANSWERED),
        at=clock.now(),
        trace=trace_of(delivery),
        channel=Channel.PUSH,
        service=subscription.wish.service,
        operation=Operation.EXTRACT,
        **grant.on_record,
        status=200,
        timing=Timing(out_us=0),
        snapshot=parcel.snapshot,
    )


def delivered(
    subscription: Subscription, grant: Grant, delivery: Delivery, parcel: Parcel, clock: Clock, began: float
) -> RowsDelivered:
    """began   when sending began, by `time.monotonic`"""
    return RowsDelivered(
        event=event_of(delivery, parcel, DELIVERED),
        at=clock.now(),
        trace=trace_of(delivery),
        channel=Channel.PUSH,
        service=subscription.wish.service,
        **grant.on_record,
        extract=parcel.extract,
        snapshot=parcel.snapshot,
        rows=parcel.rows,
        size_bytes=parcel.size_bytes,
        whole=True,
        timing=Timing(out_us=int((time.monotonic() - began) * 1_000_000)),
    )
