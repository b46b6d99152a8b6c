"""The courier: takes one delivery after another from the outbox and brings it to its receiver.

agreement -> its limits -> file -> ledger -> the first byte leaves -> ledger -> the receiver is told -> outbox. The
agreement is asked at each attempt. A courier that is killed anywhere leaves a lease that ends; the next one asks the
receiver what is there and goes on.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog
from sqlalchemy import Connection

from extract.delivery.accounting import answered, delivered
from extract.delivery.faults import WAITS_FOR_ROOM, DeliveriesStopped, LeaseLost
from extract.delivery.notices import Tell, of_given_up, of_withheld
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_rows import PLACED, Delivery
from extract.delivery.outbox_states import State
from extract.delivery.parcel import Handover, Parcel, Sender
from extract.delivery.quota import Quota
from extract.delivery.subscription import Subscription
from extract.delivery.subscriptions import Subscriptions
from extract.errors import told
from kernel import CallerMistake, Clock, Grant, Observe, PlatformError, no_room, says_full

LOOK_AGAIN_S: Final = 300.0
"""How soon a delivery that no agreement carries is looked at again."""

_log = structlog.get_logger(__name__)


class Unexpected(PlatformError):
    code = "delivery_unexpected"
    title = "A fault of ours"


@dataclass(frozen=True, slots=True, kw_only=True)
class Courier:
    """grant_of    the permission that carries a subscription now; raises the refusals of `control`
    make        the file of a delivery, made or found; may take long
    quota       counts it against the limits of the agreement, once for each time that it is asked for
    sender_of   who brings it; None for what is fetched from the shelf
    tell        tell those whom it concerns, in the transaction of what it tells
    stopping    whether the platform stops: what is under way is cut, and gone on with later
    """

    outbox: Outbox
    subscriptions: Subscriptions
    grant_of: Callable[[Subscription], Grant]
    make: Callable[[Subscription, Grant, Delivery, Callable[[], None]], Parcel]
    quota: Quota
    sender_of: Callable[[Subscription, Grant], Sender | None]
    tell: Tell
    observe: Observe
    clock: Clock
    stopping: Callable[[], bool] = lambda: False

    def turn(self) -> Delivery | None:
        """Work on one delivery; as it is afterwards, None when there was none to work on."""
        delivery = self.outbox.claim()
        if delivery is None:
            return None
        try:
            with _kept(self.outbox, delivery, self.stopping) as alive:
                return self._bring(delivery, alive)
        except LeaseLost:
            _log.info("delivery_taken_over", delivery=delivery.id)
        except DeliveriesStopped:
            self.outbox.release(delivery)
        return delivery

    def _bring(self, delivery: Delivery, alive: Callable[[], None]) -> Delivery:
        subscription = self.subscriptions.get(delivery.subscription)
        try:
            grant = self.grant_of(subscription)
        except CallerMistake as refusal:
            return self._withheld(subscription, delivery, refusal)
        delivery, refused = self._counted(subscription, grant, delivery)
        if refused is not None:
            return self._withheld(subscription, delivery, refused)
        try:
            parcel = self.make(subscription, grant, delivery, alive)
        except (LeaseLost, DeliveriesStopped):
            raise
        except CallerMistake as refusal:
            return self._withheld(subscription, delivery, refusal)
        except Exception as error:
            return self._failed(subscription, delivery, error, blame_endpoint=False)
        placed = delivery.stage == PLACED and delivery.sha256 == parcel.sha256
        delivery = self.outbox.produced(delivery, parcel)
        sender = self.sender_of(subscription, grant)
        if sender is None:
            return self._shelved(subscription, delivery, parcel)
        began = time.monotonic()
        try:
            delivery = self.outbox.sending(delivery)
            if sender.carries and not placed:
                self.observe(answered(subscription, grant, delivery, parcel, self.clock))

            def place() -> None:
                # On record before the receiver is told: what it may use is accounted for.
                if not placed:
                    self.observe(delivered(subscription, grant, delivery, parcel, self.clock, began))
                self.outbox.placed(delivery)

            confirmed = sender.send(parcel, Handover(alive, place, placed))
        except (LeaseLost, DeliveriesStopped):
            raise
        except Exception as error:
            return self._failed(subscription, delivery, error)
        done = self.outbox.arrived(delivery)
        return self.outbox.confirmed(done.id, "the receiver said so") if confirmed else done

    def _shelved(self, subscription: Subscription, delivery: Delivery, parcel: Parcel) -> Delivery:
        try:
            parcel.on_shelf()
        except Exception as error:
            return self._failed(subscription, delivery, error, blame_endpoint=False)
        return self.outbox.arrived(delivery, "on the shelf")

    def _counted(
        self, subscription: Subscription, grant: Grant, delivery: Delivery
    ) -> tuple[Delivery, PlatformError | None]:
        """A delivery that is counted, or what keeps it back."""
        if delivery.counted > delivery.round:
            return delivery, None
        refusal = self.quota.refusal(subscription, grant)
        if refusal is not None:
            return delivery, refusal
        # On record before it is counted: a crash of ours in between must not cost the consumer a call.
        marked = self.outbox.counted(delivery, delivery.round + 1)
        refusal = self.quota.count(subscription, grant)
        # Another call was faster.
        return (marked, None) if refusal is None else (self.outbox.counted(marked, delivery.counted), refusal)

    def _withheld(self, subscription: Subscription, delivery: Delivery, refusal: PlatformError) -> Delivery:
        known = delivery.fault_code == refusal.code
        again_s = min(LOOK_AGAIN_S, float(refusal.retry_after_s or LOOK_AGAIN_S))
        words = None if known else of_withheld(subscription, delivery, refusal)

        def tell(db: Connection, _: Delivery) -> None:
            if words is not None:
                self.tell(db, subscription, words)

        done = self.outbox.withheld(delivery, refusal, again_s=again_s, tell=tell)
        _log.warning("delivery_withheld", delivery=delivery.id, code=refusal.code)
        return done

    def _failed(
        self, subscription: Subscription, delivery: Delivery, error: Exception, *, blame_endpoint: bool = True
    ) -> Delivery:
        if says_full(error):
            error = no_room()
        if isinstance(error, WAITS_FOR_ROOM):
            return self._withheld(subscription, delivery, error)
        if not isinstance(error, PlatformError):
            _log.error("delivery_broke", delivery=delivery.id, **told(error))
            error = Unexpected("something failed that should not", remedy="see the platform's log")

        def tell(db: Connection, done: Delivery, error: PlatformError = error) -> None:
            if done.state is State.DEAD:
                self.tell(db, subscription, of_given_up(subscription, done, error))

        done = self.outbox.failed(delivery, error, blame_endpoint=blame_endpoint, tell=tell)
        _log.warning("delivery_failed", delivery=delivery.id, code=error.code, attempts=done.attempts, state=done.state)
        return done


@contextmanager
def _kept(outbox: Outbox, delivery: Delivery, stopping: Callable[[], bool]) -> Iterator[Callable[[], None]]:
    """Keep the lease of a delivery while the block runs. Gives what raises when the block is to end.

    Raises LeaseLost, DeliveriesStopped.
    """
    over, lost = threading.Event(), threading.Event()

    def beat() -> None:
        while not over.wait(outbox.lease_s / 3):
            try:
                outbox.renew(delivery)
            except LeaseLost:
                lost.set()
                return
            except Exception as error:
                # The database may be there again before the lease is over; if it is not, the lease is lost.
                _log.warning("lease_not_renewed", delivery=delivery.id, **told(error))

    def alive() -> None:
        if lost.is_set():
            raise LeaseLost("another worker has taken the delivery over", remedy="nothing: the other one finishes it")
        if stopping():
            raise DeliveriesStopped("the platform is stopping", remedy="nothing: it goes on when it is up again")

    heart = threading.Thread(target=beat, name="lease", daemon=True)
    heart.start()
    try:
        yield alive
    finally:
        over.set()
        heart.join()
