"""Deliveries that nobody fetched or confirmed within their time: found once each, and said aloud."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from extract.delivery.outbox_rows import Delivery, delivery_of
from extract.delivery.outbox_states import HOLDING, State
from extract.delivery.outbox_tables import DELIVERIES, SUBSCRIPTIONS, Database, moment_of, text_of
from extract.delivery.subscription import Standing
from kernel import Clock


@dataclass(frozen=True, slots=True)
class Alarm:
    """since   when the oldest of what waits became ready to be taken, or was planned"""

    delivery: Delivery
    since: datetime

    @property
    def words(self) -> str:
        """What is wrong, in a sentence. No personal data."""
        found, since = self.delivery, f"{self.since:%Y-%m-%d %H:%M} UTC"
        if found.state is State.SENT:
            return f"Nobody has fetched or confirmed delivery {found.number}; something has waited since {since}."
        why = f", the last time because {found.fault}" if found.fault else ""
        return f"Delivery {found.number} has not arrived; it has waited since {since}{why}."


def find_alarms(database: Database, clock: Clock) -> tuple[Alarm, ...]:
    """Those that became alarms now; each is found once, in one process."""
    now = clock.now()
    waiting = (
        select(DELIVERIES, SUBSCRIPTIONS.c.confirm_within_s)
        .join(SUBSCRIPTIONS, SUBSCRIPTIONS.c.id == DELIVERIES.c.subscription)
        .where(
            SUBSCRIPTIONS.c.state == Standing.ACTIVE,
            SUBSCRIPTIONS.c.confirm_within_s.is_not(None),
            DELIVERIES.c.alarmed.is_(None),
            DELIVERIES.c.state.in_((State.SENT, *HOLDING)),
        )
        .with_for_update(of=DELIVERIES, skip_locked=True)
    )
    found = []
    with database.writing() as db:
        for row in db.execute(waiting).mappings().all():
            delivery = delivery_of(row)
            since = _waiting_since(db, delivery)
            if since + timedelta(seconds=row["confirm_within_s"]) <= now:
                db.execute(update(DELIVERIES).where(DELIVERIES.c.id == delivery.id).values(alarmed=text_of(now)))
                found.append(Alarm(delivery, since))
    return tuple(found)


def _waiting_since(db: Connection, delivery: Delivery) -> datetime:
    if delivery.state is not State.SENT or delivery.sent is None:
        return delivery.planned
    mine = DELIVERIES.c.subscription == delivery.subscription
    taken = select(func.coalesce(func.max(DELIVERIES.c.number), 0)).where(mine, DELIVERIES.c.state == State.RECEIVED)
    # What took the place of one that nobody took has waited as long as that one.
    oldest = select(func.min(DELIVERIES.c.sent)).where(
        mine,
        DELIVERIES.c.state.in_((State.SENT, State.SUPERSEDED)),
        DELIVERIES.c.number > taken.scalar_subquery(),
        DELIVERIES.c.number <= delivery.number,
    )
    return moment_of(db.execute(oldest).scalar_one()) or delivery.sent
