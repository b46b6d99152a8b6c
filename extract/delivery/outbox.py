"""The outbox: deliveries in the database, claimed by workers, in the order of each subscription.

A claim is a lease with a number that grows (the fence). Whoever writes about a delivery says the number of its lease:
a worker that fell asleep and was overtaken can write nothing more. A worker that dies leaves a lease that ends by
itself, and the next one goes on from what the receiver has.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from extract.delivery.faults import HELD_CODES, LeaseLost
from extract.delivery.outbox_book import OutboxBook
from extract.delivery.outbox_patience import CLOSED, Patience, waiting_s
from extract.delivery.outbox_rows import (
    PLACED,
    Delivery,
    breaker_of,
    claimable,
    delivery_of,
    row_of,
    set_breaker,
    take_step,
    why_of,
)
from extract.delivery.outbox_states import State, Step, after
from extract.delivery.outbox_tables import DELIVERIES, SUBSCRIPTIONS, Database, text_of
from extract.delivery.parcel import Parcel
from extract.delivery.subscription import DeliveryId
from kernel import AgreementId, Clock, PlatformError

Also = Callable[[Connection, Delivery], None]
"""What is done in the transaction of a step, with the delivery as it is after it."""


def _nothing(db: Connection, done: Delivery) -> None:
    pass


class Outbox:
    """book      what stands in it, for those who only look
    lease_s   how long a worker may be silent about a delivery before another one takes it over
    """

    def __init__(self, database: Database, clock: Clock, patience: Patience, *, lease_s: float = 60.0) -> None:
        self._database, self._clock, self._patience = database, clock, patience
        self.book, self.lease_s = OutboxBook(database), lease_s

    def claim(self) -> Delivery | None:
        """The next delivery to work on, leased to the caller; None when there is none now.

        It is the oldest open one of its subscription, it is due, nobody has it, and its endpoint is not resting.
        """
        now = self._clock.now()
        with self._database.writing() as db:
            found = db.execute(claimable(now)).mappings().first()
            if found is None:
                return None
            breaker = breaker_of(db, found["endpoint"])
            set_breaker(db, found["endpoint"], breaker, breaker.trying(now, self._patience))
            fence = found["fence"] + 1
            db.execute(
                update(DELIVERIES)
                .where(DELIVERIES.c.id == found["id"])
                .values(fence=fence, lease_until=text_of(now + timedelta(seconds=self.lease_s)))
            )
            return delivery_of({**found, "fence": fence})

    def renew(self, delivery: Delivery) -> None:
        """Say that the caller is still at work. Raises LeaseLost."""
        until = self._clock.now() + timedelta(seconds=self.lease_s)
        with self._database.writing() as db:
            self._leased(db, delivery, lease_until=text_of(until))

    def produced(self, delivery: Delivery, parcel: Parcel) -> Delivery:
        """The file is there. Raises LeaseLost."""
        made = {
            "extract": parcel.extract, "file": parcel.name, "rows": parcel.rows, "size_bytes": parcel.size_bytes,
            "sha256": parcel.sha256, "until": parcel.snapshot,
            "manifest_sha256": hashlib.sha256(parcel.manifest).hexdigest(), "cursor": parcel.cursor,
        }  # fmt: skip
        if parcel.why_full:
            made |= {"since": None, "why_full": parcel.why_full}
        return self._step(delivery, Step.PRODUCE, **made)

    def sending(self, delivery: Delivery) -> Delivery:
        """The first byte may leave. Raises LeaseLost."""
        return self._step(delivery, Step.SEND)

    def placed(self, delivery: Delivery) -> Delivery:
        """The file is whole at the receiver; what tells it so comes next. Raises LeaseLost."""
        with self._database.writing() as db:
            return self._leased(db, delivery, stage=PLACED)

    def arrived(self, delivery: Delivery, note: str = "") -> Delivery:
        """It is the receiver's now, and the subscription's cursor moves; the lease ends. Raises LeaseLost."""
        now = self._clock.now()
        with self._database.writing() as db:
            db.execute(
                update(SUBSCRIPTIONS)
                .where(SUBSCRIPTIONS.c.id == delivery.subscription)
                # An old one that is delivered once more takes nobody back.
                .where(SUBSCRIPTIONS.c.deliveries == delivery.number)
                .values(cursor=delivery.cursor, reached=delivery.until)
            )
            done = self._step_in(
                db, delivery, Step.ARRIVE, note,
                sent=text_of(now), lease_until=None, attempts=0, fault=None, fault_code=None, **_unsaid(delivery),
            )  # fmt: skip
            set_breaker(db, delivery.endpoint, breaker_of(db, delivery.endpoint), CLOSED)
            return done

    def failed(
        self, delivery: Delivery, fault: PlatformError, *, blame_endpoint: bool = True, tell: Also = _nothing
    ) -> Delivery:
        """This attempt came to nothing; the lease ends. Raises LeaseLost."""
        now, attempts = self._clock.now(), delivery.attempts + 1
        over = attempts >= self._patience.attempts
        wait = waiting_s(self._patience, delivery.id, attempts)
        wait = max(wait, float(fault.retry_after_s or 0))
        with self._database.writing() as db:
            if blame_endpoint:
                breaker = breaker_of(db, delivery.endpoint)
                set_breaker(db, delivery.endpoint, breaker, breaker.failed(now, self._patience))
            done = self._step_in(
                db, delivery, Step.GIVE_UP if over else Step.FAIL, why_of(fault),
                attempts=attempts, due=text_of(now + timedelta(seconds=wait)), lease_until=None,
                fault=fault.message, fault_code=fault.code,
            )  # fmt: skip
            tell(db, done)
            return done

    def counted(self, delivery: Delivery, rounds: int) -> Delivery:
        """How many rounds of it are counted against the agreement's limits. What was said because it was held back is
        over then. Raises LeaseLost.
        """
        over = _unsaid(delivery) if rounds > delivery.round else {}
        with self._database.writing() as db:
            return self._leased(db, delivery, counted=rounds, **over)

    def withheld(self, delivery: Delivery, why: PlatformError, *, again_s: float, tell: Also = _nothing) -> Delivery:
        """No agreement carries it now, or there is no room for it; it is looked at again. No attempt is counted.

        Raises LeaseLost.
        """
        due = self._clock.now() + timedelta(seconds=again_s)
        with self._database.writing() as db:
            done = self._step_in(
                db, delivery, Step.WITHHOLD, why_of(why),
                due=text_of(due), lease_until=None, fault=why.message, fault_code=why.code,
            )  # fmt: skip
            tell(db, done)
            return done

    def release(self, delivery: Delivery) -> None:
        """Give a lease back without a step: the worker stops, and the next one goes on at once."""
        with self._database.writing() as db:
            db.execute(
                update(DELIVERIES)
                .where(DELIVERIES.c.id == delivery.id, DELIVERIES.c.fence == delivery.fence)
                .values(lease_until=None)
            )

    def confirmed(self, delivery: DeliveryId, note: str = "") -> Delivery:
        """The receiver has taken it; twice is once. Raises DeliveryUnknown, DeliveryStepRefused."""
        return self._by_hand(delivery, Step.CONFIRM, note, received=text_of(self._clock.now()))

    def rejected(self, delivery: DeliveryId, note: str) -> Delivery:
        """The receiver says that what it got is damaged: it is sent once more. Raises as `confirmed`."""
        now = text_of(self._clock.now())
        return self._by_hand(delivery, Step.REJECT, note, stage="", due=now, sent=None, round=DELIVERIES.c.round + 1)

    def refused(self, delivery: DeliveryId, fault: PlatformError, *, tell: Also = _nothing) -> Delivery:
        """The receiver does not take it as it is: somebody has to look. Raises as `confirmed`."""
        note, values = why_of(fault), {"fault": fault.message, "fault_code": fault.code}
        with self._database.writing() as db:
            done = self._by_hand_in(db, delivery, Step.GIVE_UP, note, values)
            tell(db, done)
            return done

    def redelivered(self, delivery: DeliveryId, note: str) -> Delivery:
        """Send it once more, from the beginning. Raises as `confirmed`."""
        now = text_of(self._clock.now())
        return self._by_hand(
            delivery, Step.REDELIVER, note,
            stage="", due=now, attempts=0, sent=None, received=None, alarmed=None, fault=None, fault_code=None,
            round=DELIVERIES.c.round + 1,
        )  # fmt: skip

    def cancelled(self, delivery: DeliveryId, note: str) -> Delivery:
        """Nobody wants it any more. What comes next is a full one: the consumer lacks what this one held."""
        with self._database.writing() as db:
            done = self._by_hand_in(db, delivery, Step.CANCEL, note, {"lease_until": None})
            forgotten = update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == done.subscription)
            db.execute(forgotten.values(cursor=None, reached=None))
            return done

    def fetched(self, agreement: AgreementId, extract: str) -> None:
        """A whole file left by the agreement's own hand: deliveries on its shelf that it holds are received."""
        now = text_of(self._clock.now())
        of_agreement = select(SUBSCRIPTIONS.c.id).where(SUBSCRIPTIONS.c.agreement == agreement)
        waiting = select(DELIVERIES.c.id).where(
            DELIVERIES.c.extract == extract,
            DELIVERIES.c.state.in_((State.SENT, State.SUPERSEDED)),
            DELIVERIES.c.subscription.in_(of_agreement),
        )
        with self._database.reading() as db:
            found = list(db.execute(waiting).scalars())
        for each in found:
            self._by_hand(DeliveryId(each), Step.CONFIRM, "fetched whole", received=now)

    def _step(self, delivery: Delivery, step: Step, **values: Any) -> Delivery:
        with self._database.writing() as db:
            return self._step_in(db, delivery, step, "", **values)

    def _step_in(self, db: Connection, delivery: Delivery, step: Step, note: str, **values: Any) -> Delivery:
        # The lease before the state: whoever was overtaken hears that, whatever the other one has made of it.
        state = after(self._leased(db, delivery, fence=delivery.fence).state, step)
        done = self._leased(db, delivery, state=state, **values)
        take_step(db, delivery.id, step, state, self._clock.now(), note)
        return done

    def _leased(self, db: Connection, delivery: Delivery, **values: Any) -> Delivery:
        """Write about a delivery under its lease. Raises LeaseLost."""
        changed = db.execute(
            update(DELIVERIES)
            .where(DELIVERIES.c.id == delivery.id, DELIVERIES.c.fence == delivery.fence)
            # A lease that ran out and that nobody took is still the caller's; one that was given back is not.
            .where(DELIVERIES.c.lease_until.is_not(None))
            .values(**values)
        )
        if changed.rowcount != 1:
            raise LeaseLost("another worker has taken the delivery over", remedy="nothing: the other one finishes it")
        return delivery_of(row_of(db, delivery.id))

    def _by_hand(self, delivery: DeliveryId, step: Step, note: str, **values: Any) -> Delivery:
        with self._database.writing() as db:
            return self._by_hand_in(db, delivery, step, note, values)

    def _by_hand_in(
        self, db: Connection, delivery: DeliveryId, step: Step, note: str, values: Mapping[str, Any]
    ) -> Delivery:
        before = State(row_of(db, delivery)["state"])
        state = after(before, step)
        if state is before is State.RECEIVED:
            return delivery_of(row_of(db, delivery))
        # Whoever holds a lease loses it: what somebody decided stands.
        db.execute(
            update(DELIVERIES)
            .where(DELIVERIES.c.id == delivery)
            .values(state=state, fence=DELIVERIES.c.fence + 1, **{"lease_until": None, **values})
        )
        take_step(db, delivery, step, state, self._clock.now(), note)
        return delivery_of(row_of(db, delivery))


def _unsaid(delivery: Delivery) -> dict[str, None]:
    """There is room again: what was said because it was held back is over, and the next alarm is news."""
    return {"alarmed": None} if delivery.fault_code in HELD_CODES else {}
