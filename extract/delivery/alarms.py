"""Deliveries that nobody fetched or confirmed within their time, and those that there is no room for: found once each,
and said aloud.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, ScalarSelect, Select, and_, func, or_, select, update

from extract.delivery.faults import HELD_CODES
from extract.delivery.outbox_rows import Delivery, delivery_of
from extract.delivery.outbox_states import HOLDING, State, Step
from extract.delivery.outbox_tables import DELIVERIES, DELIVERY_STEPS, SUBSCRIPTIONS, Database, text_of
from extract.delivery.subscription import Standing
from extract.delivery.targets import Inbox, Shelf
from kernel import Clock

_FETCHED_FROM: Final = frozenset({Shelf().endpoint, Inbox().endpoint})


class AlarmKind(StrEnum):
    """UNFETCHED     nobody has fetched it from the shelf or IN within its time
    UNCONFIRMED   it is at the receiver, who has not said so within the time
    UNDELIVERED   it has not arrived within its time, and is still tried
    HELD          a quota of the agreement, the shelf, IN or the disk has no room for it: it leaves when there is
    DEAD          it has failed too often: nothing happens until somebody looks
    """

    UNFETCHED = "unfetched"
    UNCONFIRMED = "unconfirmed"
    UNDELIVERED = "undelivered"
    HELD = "held"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Alarm:
    """since   when the oldest of what waits became ready to be taken, or was planned"""

    delivery: Delivery
    kind: AlarmKind
    since: datetime

    @property
    def words(self) -> str:
        """What is wrong, in a sentence. No personal data."""
        found, since = self.delivery, f"{self.since:%Y-%m-%d %H:%M} UTC"
        if found.state is State.SENT:
            return f"Nobody has fetched or confirmed delivery {found.number}; something has waited since {since}."
        why = f", the last time because {found.fault}" if found.fault else ""
        return f"Delivery {found.number} has not arrived; something has waited since {since}{why}."


def find_alarms(
    database: Database, clock: Clock, tell: Callable[[Connection, Alarm], None] = lambda *_: None
) -> tuple[Alarm, ...]:
    """Those that became alarms now; each is found once, in one process.

    tell   called with each in the transaction that says that it is found
    """
    now = clock.now()
    timed = or_(SUBSCRIPTIONS.c.confirm_within_s.is_not(None), DELIVERIES.c.fault_code.in_(HELD_CODES))
    unsaid = waiting().where(timed, DELIVERIES.c.alarmed.is_(None))
    found = []
    with database.writing() as db:
        for row in db.execute(unsaid.with_for_update(of=DELIVERIES, skip_locked=True)).mappings().all():
            if overdue(row, now):
                delivery = delivery_of(row)
                db.execute(update(DELIVERIES).where(DELIVERIES.c.id == delivery.id).values(alarmed=text_of(now)))
                alarm = Alarm(delivery, kind_of(row), waits_since(row))
                tell(db, alarm)
                found.append(alarm)
    return tuple(found)


def waiting() -> Select[Any]:
    """Deliveries of active subscriptions that are to leave, or to be taken, with the columns that `overdue` and the
    others below read.

    What took the place of one that nobody took has waited as long as that one: also while it is on its way, so that
    an alarm does not end for a minute whenever something is published. One that was asked for again has its time anew.
    """
    mine, again = DELIVERIES, (Step.REDELIVER, Step.REJECT)
    asked_again = (
        select(func.max(DELIVERY_STEPS.c.at))
        .where(DELIVERY_STEPS.c.delivery == mine.c.id, DELIVERY_STEPS.c.step.in_(again))
        .correlate(mine)
        .scalar_subquery()
    )
    untaken = _first_untaken()
    return (
        select(
            mine,
            SUBSCRIPTIONS.c.service,
            SUBSCRIPTIONS.c.confirm_within_s,
            untaken.is_not(None).label("follows"),
            func.coalesce(untaken, mine.c.sent, asked_again, mine.c.planned).label("waits_since"),
        )
        .join(SUBSCRIPTIONS, SUBSCRIPTIONS.c.id == mine.c.subscription)
        .where(SUBSCRIPTIONS.c.state == Standing.ACTIVE, mine.c.state.in_((State.SENT, *HOLDING)))
    )


def waits_since(row: RowMapping) -> datetime:
    return datetime.fromisoformat(row["waits_since"])


def overdue(row: RowMapping, now: datetime) -> bool:
    """Also what is held back, from the moment on: the one who could make room is to hear of it in time."""
    within = row["confirm_within_s"]
    return _held(row) or (within is not None and waits_since(row) + timedelta(seconds=within) <= now)


def kind_of(row: RowMapping) -> AlarmKind:
    """Of a row that is overdue, or dead."""
    state, fetched = row["state"], row["endpoint"] in _FETCHED_FROM
    if state == State.DEAD:
        return AlarmKind.DEAD
    if _held(row):
        return AlarmKind.HELD
    if state == State.SENT:
        return AlarmKind.UNFETCHED if fetched else AlarmKind.UNCONFIRMED
    return AlarmKind.UNFETCHED if fetched and row["follows"] else AlarmKind.UNDELIVERED


def _held(row: RowMapping) -> bool:
    return bool(row["state"] == State.WITHHELD and row["fault_code"] in HELD_CODES)


def _first_untaken() -> ScalarSelect[Any]:
    """When the first was sent of those that nobody took, from the delivery at hand back to the last one taken."""
    mine, earlier, taken = DELIVERIES, DELIVERIES.alias("earlier"), DELIVERIES.alias("taken")
    last_taken = (
        select(func.coalesce(func.max(taken.c.number), 0))
        .where(taken.c.subscription == mine.c.subscription, taken.c.state == State.RECEIVED)
        .where(taken.c.number < mine.c.number)
        .correlate(mine)
        .scalar_subquery()
    )
    sent_too = and_(earlier.c.state == State.SENT, mine.c.state == State.SENT)
    return (
        select(func.min(earlier.c.sent))
        .where(
            earlier.c.subscription == mine.c.subscription,
            or_(earlier.c.state == State.SUPERSEDED, sent_too),
            earlier.c.number > last_taken,
            earlier.c.number <= mine.c.number,
        )
        .correlate(mine)
        .scalar_subquery()
    )
