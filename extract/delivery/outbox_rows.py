"""Deliveries as rows of the database: read, claimed, and their steps written down."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, Select, and_, exists, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from extract.delivery.faults import DeliveryUnknown
from extract.delivery.outbox_patience import CLOSED, Breaker
from extract.delivery.outbox_states import CLAIMABLE, HOLDING, State, Step
from extract.delivery.outbox_tables import DELIVERIES, DELIVERY_STEPS, ENDPOINTS, SUBSCRIPTIONS, moment_of, text_of
from extract.delivery.subscription import DeliveryId, Standing, SubscriptionId
from kernel import PlatformError

PLACED: Final = "placed"
"""Stage of a delivery whose file is whole at the receiver, and whose last act may have been done or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """since      the cursor that its changes begin after; None for a full one
    until      the snapshot that it reaches to
    cursor     where the consumer stands that has taken it; None before it is produced
    why_full   why it holds everything although changes were asked for
    extract    id of the plan that its file was made by; None before
    round      how often it was asked for once more
    counted    how many of these rounds, the first among them, were counted against the agreement's limits
    fence      number of the newest lease
    fault      of the last attempt
    alarmed    when it was said that nobody took it
    """

    id: DeliveryId
    subscription: SubscriptionId
    number: int
    endpoint: str
    state: State
    stage: str
    since: str | None
    until: int
    cursor: str | None
    why_full: str
    extract: str | None
    file: str | None
    rows: int | None
    size_bytes: int | None
    sha256: str | None
    attempts: int
    round: int
    counted: int
    due: datetime
    fence: int
    fault: str | None
    fault_code: str | None
    planned: datetime
    sent: datetime | None
    received: datetime | None
    alarmed: datetime | None


@dataclass(frozen=True, slots=True)
class StepTaken:
    number: int
    step: str
    state: str
    at: datetime
    note: str


def take_step(db: Connection, delivery: str, step: Step | str, state: State, at: datetime, note: str) -> None:
    """Write a step into the history of a delivery."""
    last = select(func.coalesce(func.max(DELIVERY_STEPS.c.number), 0)).where(DELIVERY_STEPS.c.delivery == delivery)
    number = int(db.execute(last).scalar_one()) + 1
    db.execute(
        insert(DELIVERY_STEPS).values(
            delivery=delivery, number=number, step=str(step), state=str(state), at=text_of(at), note=note
        )
    )


def why_of(fault: PlatformError) -> str:
    """For the list of steps: what came in the way, and what to do about it."""
    what_to_do = f"; what to do: {fault.remedy}" if fault.remedy else ""
    return f"{fault.message} ({fault.code}){what_to_do}"


def delivery_of(row: Mapping[str, Any] | RowMapping) -> Delivery:
    plain = {name: row[name] for name in Delivery.__slots__}
    moments = {
        name: moment_of(row[name]) for name in ("due", "planned", "sent", "received", "alarmed")
    }  # fmt: skip
    return Delivery(**{**plain, "state": State(row["state"]), **moments})


def claimable(now: datetime) -> Select[Any]:
    mine, earlier, at = DELIVERIES, DELIVERIES.alias("earlier"), text_of(now)
    held_back = exists().where(
        and_(
            earlier.c.subscription == mine.c.subscription,
            earlier.c.number < mine.c.number,
            earlier.c.state.in_(HOLDING),
        )
    )
    resting = exists().where(and_(ENDPOINTS.c.endpoint == mine.c.endpoint, ENDPOINTS.c.open_until > at))
    active = exists().where(and_(SUBSCRIPTIONS.c.id == mine.c.subscription, SUBSCRIPTIONS.c.state == Standing.ACTIVE))
    return (
        select(mine)
        .where(
            mine.c.state.in_(CLAIMABLE),
            mine.c.due <= at,
            or_(mine.c.lease_until.is_(None), mine.c.lease_until <= at),
            active,
            ~held_back,
            ~resting,
        )
        .order_by(mine.c.due, mine.c.id)
        .limit(1)
        # PostgreSQL: two workers that ask at once get two deliveries. SQLite has one writer, and needs no lock.
        .with_for_update(of=mine, skip_locked=True)
    )


def row_of(db: Connection, delivery: str) -> RowMapping:
    found = db.execute(select(DELIVERIES).where(DELIVERIES.c.id == delivery)).mappings().first()
    if found is None:
        raise DeliveryUnknown("there is no delivery with this id", remedy="see `knudepunkt delivery list`")
    return found


def breaker_of(db: Connection, endpoint: str) -> Breaker:
    found = db.execute(select(ENDPOINTS).where(ENDPOINTS.c.endpoint == endpoint)).mappings().first()
    return CLOSED if found is None else Breaker(found["failures"], moment_of(found["open_until"]))


def set_breaker(db: Connection, endpoint: str, before: Breaker, breaker: Breaker) -> None:
    if breaker == before:
        return
    values = {
        "failures": breaker.failures, "open_until": None if breaker.open_until is None else text_of(breaker.open_until)
    }  # fmt: skip
    known = update(ENDPOINTS).where(ENDPOINTS.c.endpoint == endpoint).values(**values)
    if db.execute(known).rowcount == 0:
        try:
            with db.begin_nested():
                db.execute(insert(ENDPOINTS).values(endpoint=endpoint, **values))
        except IntegrityError:
            # Another worker was the first to know the endpoint.
            db.execute(known)
