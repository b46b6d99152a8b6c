"""How deliveries stand, in numbers, for whoever watches the platform. Worked out when somebody asks, by two queries:
what a worker has said before does not count, so that a worker that has died keeps nothing quiet.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, func, select

from extract.delivery.alarms import AlarmKind, kind_of, overdue, waiting, waits_since
from extract.delivery.outbox_states import OPEN, State
from extract.delivery.outbox_tables import DELIVERIES, ENDPOINTS, SUBSCRIPTIONS, Database, text_of
from extract.delivery.subscription import Standing
from kernel import ServiceName


class Waiting(StrEnum):
    """What a delivery waits for: to leave, or to be taken."""

    SENDING = "sending"
    RECEIPT = "receipt"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFigures:
    """deliveries      that are not over, by service and state
    alarms          open ones; a delivery is in one kind
    oldest_s        for how long the oldest has waited, seconds; a dead one waits for nothing
    subscriptions   by service and standing, those that ended left out
    failing         endpoints whose last delivery failed; `resting` those of them that are left alone for now
    """

    deliveries: Mapping[tuple[ServiceName, State], int]
    alarms: Mapping[tuple[ServiceName, AlarmKind], int]
    oldest_s: Mapping[tuple[ServiceName, Waiting], float]
    subscriptions: Mapping[tuple[ServiceName, Standing], int]
    failing: int
    resting: int


def delivery_figures(database: Database, now: datetime) -> DeliveryFigures:
    """Reads one picture of the tables."""
    alarms: Counter[tuple[ServiceName, AlarmKind]] = Counter()
    oldest: dict[tuple[ServiceName, Waiting], float] = {}
    with database.reading() as db:
        deliveries = {(ServiceName(each[0]), State(each[1])): int(each[2]) for each in db.execute(_by_state())}
        for row in db.execute(waiting().where(_heeded())).mappings():
            service = ServiceName(row["service"])
            waits = (service, Waiting.RECEIPT if row["state"] == State.SENT else Waiting.SENDING)
            oldest[waits] = max(oldest.get(waits, 0.0), (now - waits_since(row)).total_seconds())
            if overdue(row, now):
                alarms[service, kind_of(row)] += 1
        for (service, state), count in deliveries.items():
            if state is State.DEAD:
                alarms[service, AlarmKind.DEAD] = count
        standing = select(SUBSCRIPTIONS.c.service, SUBSCRIPTIONS.c.state, func.count())
        standing = standing.where(SUBSCRIPTIONS.c.state != Standing.ENDED)
        standing = standing.group_by(SUBSCRIPTIONS.c.service, SUBSCRIPTIONS.c.state)
        subscriptions = {(ServiceName(each[0]), Standing(each[1])): int(each[2]) for each in db.execute(standing)}
        return DeliveryFigures(
            deliveries=deliveries,
            alarms=alarms,
            oldest_s=oldest,
            subscriptions=subscriptions,
            failing=_endpoints(db, ENDPOINTS.c.failures > 0),
            resting=_endpoints(db, ENDPOINTS.c.open_until > text_of(now)),
        )


def _by_state() -> Select[Any]:
    # Those that are over are many, and stand in the usage lake.
    return (
        select(SUBSCRIPTIONS.c.service, DELIVERIES.c.state, func.count())
        .join(SUBSCRIPTIONS, SUBSCRIPTIONS.c.id == DELIVERIES.c.subscription)
        .where(DELIVERIES.c.state.in_(OPEN))
        .group_by(SUBSCRIPTIONS.c.service, DELIVERIES.c.state)
    )


def _heeded() -> ColumnElement[bool]:
    # Of what is sent, what somebody wants to hear of. A dead one waits for nothing; it is an alarm anyhow.
    return case(
        (DELIVERIES.c.state == State.SENT, SUBSCRIPTIONS.c.confirm_within_s.is_not(None)),
        else_=DELIVERIES.c.state != State.DEAD,
    )


def _endpoints(db: Connection, which: ColumnElement[bool]) -> int:
    return int(db.execute(select(func.count()).select_from(ENDPOINTS).where(which)).scalar_one())
