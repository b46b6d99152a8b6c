"""What stands in the outbox: deliveries and their steps, for those who only look."""

from datetime import datetime

from sqlalchemy import select

from extract.delivery.outbox_rows import Delivery, StepTaken, delivery_of, row_of
from extract.delivery.outbox_states import HOLDING, OPEN, State
from extract.delivery.outbox_tables import DELIVERIES, DELIVERY_STEPS, SUBSCRIPTIONS, Database
from extract.delivery.subscription import DeliveryId, SubscriptionId
from kernel import AgreementId


class OutboxBook:
    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self, agreement: AgreementId, extract: str) -> bool:
        """Whether an open delivery of an agreement names an extract: it stays until it is taken, or given up."""
        return bool(self.awaits(agreement, extract))

    def awaits(self, agreement: AgreementId, extract: str) -> bool | None:
        """As `names`; None when no delivery of the agreement ever named it."""
        of_agreement = select(SUBSCRIPTIONS.c.id).where(SUBSCRIPTIONS.c.agreement == agreement)
        naming = select(DELIVERIES.c.state).where(
            DELIVERIES.c.extract == extract, DELIVERIES.c.subscription.in_(of_agreement)
        )
        with self._database.reading() as db:
            states = {State(each) for each in db.execute(naming.distinct()).scalars()}
        return bool(states & OPEN) if states else None

    def get(self, delivery: DeliveryId) -> tuple[Delivery, tuple[StepTaken, ...]]:
        """A delivery, and what became of it step by step. Raises DeliveryUnknown."""
        steps = select(DELIVERY_STEPS).where(DELIVERY_STEPS.c.delivery == delivery).order_by(DELIVERY_STEPS.c.number)
        with self._database.reading() as db:
            found = row_of(db, delivery)
            taken = db.execute(steps).mappings().all()
        return delivery_of(found), tuple(
            StepTaken(each["number"], each["step"], each["state"], datetime.fromisoformat(each["at"]), each["note"])
            for each in taken
        )

    def manifest_before(self, delivery: Delivery) -> str | None:
        """SHA-256 of the manifest of the delivery before; None for the first, and after one that was never made."""
        before = select(DELIVERIES.c.manifest_sha256).where(
            DELIVERIES.c.subscription == delivery.subscription, DELIVERIES.c.number == delivery.number - 1
        )
        with self._database.reading() as db:
            found: str | None = db.execute(before).scalar()
        return found

    def waits(self, delivery: str) -> bool:
        """Whether a delivery is still to be sent."""
        with self._database.reading() as db:
            found = db.execute(select(DELIVERIES.c.state).where(DELIVERIES.c.id == delivery)).first()
        return found is not None and found[0] in HOLDING

    def listed(
        self,
        *,
        subscriptions: tuple[SubscriptionId, ...] | None = None,
        states: frozenset[State] | None = None,
        limit: int = 100,
    ) -> tuple[Delivery, ...]:
        """Deliveries, newest first. `subscriptions` None for all."""
        wanted = select(DELIVERIES).order_by(DELIVERIES.c.planned.desc(), DELIVERIES.c.id.desc()).limit(limit)
        if subscriptions is not None:
            wanted = wanted.where(DELIVERIES.c.subscription.in_(subscriptions))
        if states is not None:
            wanted = wanted.where(DELIVERIES.c.state.in_(states))
        with self._database.reading() as db:
            return tuple(delivery_of(each) for each in db.execute(wanted).mappings())
