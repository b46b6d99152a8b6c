"""Subscriptions in the database, and the planning of their deliveries.

A delivery is planned and the subscription's cursor advanced in one transaction. There is one open delivery of a
subscription at a time: what is published while it waits is in the next one, so a consumer that was away for weeks gets
what is there, and then one delivery with all the rest.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, and_, exists, func, insert, select, update

from extract.delivery.faults import SubscriptionLimit, SubscriptionStepRefused, SubscriptionUnknown
from extract.delivery.outbox_rows import Delivery, delivery_of, take_step
from extract.delivery.outbox_states import HOLDING, State, Step, after
from extract.delivery.outbox_tables import DELIVERIES, SUBSCRIPTIONS, Database, moment_of, text_of
from extract.delivery.schedule import IsWorkingDay, Schedule
from extract.delivery.subscription import Contents, Kind, Standing, Subscription, SubscriptionId, Wish
from extract.delivery.targets import Inbox, Shelf, target_of, to_text
from extract.form import Compression, Format
from kernel import AgreementId, Clock, ServiceName, SystemId, new_id

MOST: Final = 200
"""Subscriptions of one system that are not ended."""
SKIPPED: Final = "a delivery before this one was cancelled"
FIRST: Final = "the first delivery"

_STEPS: Final[Mapping[Standing, frozenset[Standing]]] = {
    Standing.ACTIVE: frozenset({Standing.PAUSED, Standing.ENDED}),
    Standing.PAUSED: frozenset({Standing.ACTIVE, Standing.ENDED}),
    Standing.ENDED: frozenset(),
}


class Subscriptions:
    def __init__(self, database: Database, clock: Clock, is_working_day: IsWorkingDay) -> None:
        self._database, self._clock, self._is_working_day = database, clock, is_working_day

    def add(self, wish: Wish, *, by: str) -> Subscription:
        """Raises SubscriptionLimit. Whether an agreement carries it is the caller's to ask before."""
        made = SubscriptionId(new_id())
        of_system = (
            select(func.count())
            .select_from(SUBSCRIPTIONS)
            .where(SUBSCRIPTIONS.c.system == wish.system, SUBSCRIPTIONS.c.state != Standing.ENDED)
        )
        with self._database.writing() as db:
            if int(db.execute(of_system).scalar_one()) >= MOST:
                raise SubscriptionLimit(
                    f"the system has {MOST} subscriptions already",
                    remedy="end those that nobody needs",
                    rule="subscription.limit",
                    left=0,
                )
            db.execute(
                insert(SUBSCRIPTIONS).values(
                    id=made,
                    agreement=wish.agreement,
                    system=wish.system,
                    service=wish.service,
                    contents=contents_text(wish.contents),
                    schedule=wish.schedule.text,
                    target=to_text(wish.target),
                    confirm_within_s=wish.confirm_within_s,
                    purpose=wish.purpose,
                    state=Standing.ACTIVE,
                    reason=f"added by {by}",
                    created=text_of(self._clock.now()),
                )
            )
            return _subscription_of(_row(db, made))

    def get(self, subscription: SubscriptionId) -> Subscription:
        """Raises SubscriptionUnknown."""
        with self._database.reading() as db:
            return _subscription_of(_row(db, subscription))

    def listed(
        self, *, system: SystemId | None = None, agreement: AgreementId | None = None, ended: bool = False
    ) -> tuple[Subscription, ...]:
        """Oldest first; those that are ended only when asked for."""
        wanted = select(SUBSCRIPTIONS).order_by(SUBSCRIPTIONS.c.created, SUBSCRIPTIONS.c.id)
        if system is not None:
            wanted = wanted.where(SUBSCRIPTIONS.c.system == system)
        if agreement is not None:
            wanted = wanted.where(SUBSCRIPTIONS.c.agreement == agreement)
        if not ended:
            wanted = wanted.where(SUBSCRIPTIONS.c.state != Standing.ENDED)
        with self._database.reading() as db:
            return tuple(_subscription_of(each) for each in db.execute(wanted).mappings())

    def turn(self, subscription: SubscriptionId, to: Standing, reason: str) -> Subscription:
        """Pause, resume or end it. The same once more changes nothing; ending cancels what is open.

        Raises SubscriptionUnknown, SubscriptionStepRefused.
        """
        with self._database.writing() as db:
            found = _subscription_of(_row(db, subscription))
            if found.standing is to:
                return found
            if to not in _STEPS[found.standing]:
                raise SubscriptionStepRefused(
                    f"a subscription that is {found.standing} cannot become {to}",
                    remedy="add a new one: what has ended stays ended",
                    rule="subscription.state",
                )
            db.execute(update(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == subscription).values(state=to, reason=reason))
            if to is Standing.ENDED:
                self._cancel_open(db, subscription)
            return replace(found, standing=to, reason=reason)

    def due(self, now: datetime) -> tuple[Subscription, ...]:
        """Active ones without an open delivery whose time has come."""
        open_one = exists().where(
            and_(DELIVERIES.c.subscription == SUBSCRIPTIONS.c.id, DELIVERIES.c.state.in_(HOLDING))
        )
        wanted = (
            select(SUBSCRIPTIONS)
            .where(SUBSCRIPTIONS.c.state == Standing.ACTIVE, ~open_one)
            .order_by(SUBSCRIPTIONS.c.planned, SUBSCRIPTIONS.c.id)
        )
        with self._database.reading() as db:
            found = [_subscription_of(each) for each in db.execute(wanted).mappings()]
        return tuple(each for each in found if self._due(each, now))

    def plan(self, subscription: SubscriptionId, until: int) -> Delivery | None:
        """The next delivery, up to a snapshot, and with it the cursor; None when there is nothing to deliver."""
        now = self._clock.now()
        with self._database.writing() as db:
            found = _subscription_of(_row(db, subscription))
            last = _last(db, subscription)
            if found.standing is not Standing.ACTIVE or (last is not None and last.state in HOLDING):
                return None
            contents, since = found.wish.contents, found.cursor
            if found.reached is not None and until <= found.reached and not _daily(found):
                return None
            # The files of a circle follow each other by their dates, as the register's own: all of them are taken.
            unfetched = (
                last is not None
                and last.state is State.SENT
                and isinstance(found.wish.target, Shelf | Inbox)
                and contents.kind is not Kind.CIRCLE
            )
            if last is not None and unfetched:
                # It holds what the one before held and what came after: nobody has to take two.
                since = last.since
                state = after(last.state, Step.SUPERSEDE)
                db.execute(update(DELIVERIES).where(DELIVERIES.c.id == last.id).values(state=state))
                take_step(db, last.id, Step.SUPERSEDE, state, now, f"by delivery {found.deliveries + 1}")
            why = ""
            if contents.kind is Kind.FULL:
                since = None
            elif since is None and last is not None and unfetched and last.why_full:
                why = last.why_full
            elif since is None:
                why = SKIPPED if found.deliveries else FIRST
            number = found.deliveries + 1
            made = new_id()
            db.execute(
                insert(DELIVERIES).values(
                    id=made, subscription=subscription, number=number, endpoint=found.wish.target.endpoint,
                    state=State.PLANNED, since=since, until=until, why_full=why,
                    due=text_of(now), planned=text_of(now),
                    # Whoever was told that nobody comes for it is not told again for each publication.
                    alarmed=None if last is None or not unfetched or last.alarmed is None else text_of(last.alarmed),
                )
            )  # fmt: skip
            db.execute(
                update(SUBSCRIPTIONS)
                .where(SUBSCRIPTIONS.c.id == subscription)
                .values(deliveries=number, reached=until, planned=text_of(now))
            )
            take_step(db, made, "plan", State.PLANNED, now, "")
            return delivery_of(db.execute(select(DELIVERIES).where(DELIVERIES.c.id == made)).mappings().one())

    def _due(self, subscription: Subscription, now: datetime) -> bool:
        last = subscription.planned or subscription.created
        following = subscription.wish.schedule.next(last, self._is_working_day)
        return following is not None and following <= now

    def _cancel_open(self, db: Connection, subscription: SubscriptionId) -> None:
        now = self._clock.now()
        held = select(DELIVERIES).where(DELIVERIES.c.subscription == subscription, DELIVERIES.c.state.in_(HOLDING))
        for each in db.execute(held).mappings().all():
            state = after(State(each["state"]), Step.CANCEL)
            db.execute(
                update(DELIVERIES)
                .where(DELIVERIES.c.id == each["id"])
                .values(state=state, fence=DELIVERIES.c.fence + 1, lease_until=None)
            )
            take_step(db, each["id"], Step.CANCEL, state, now, "the subscription has ended")


def contents_text(contents: Contents) -> str:
    return json.dumps(
        {
            "kind": contents.kind,
            "format": contents.format,
            "compression": contents.compression,
            "columns": contents.columns,
            "rows": {name: sorted(values) for name, values in contents.rows.items()},
            "name": contents.name,
        },
        sort_keys=True,
    )


def contents_of(text: str) -> Contents:
    told: dict[str, Any] = json.loads(text)
    return Contents(
        kind=Kind(told["kind"]),
        format=Format(told["format"]),
        compression=Compression(told["compression"]),
        columns=None if told["columns"] is None else tuple(told["columns"]),
        rows={name: tuple(values) for name, values in told["rows"].items()},
        name=told["name"],
    )


def _daily(subscription: Subscription) -> bool:
    """Whether a delivery comes also when nothing changed: who waits for a file a day is told so by an empty one."""
    return subscription.wish.contents.kind is Kind.CIRCLE and not subscription.wish.schedule.after_publication


def _last(db: Connection, subscription: SubscriptionId) -> Delivery | None:
    newest = (
        select(DELIVERIES)
        .where(DELIVERIES.c.subscription == subscription)
        .order_by(DELIVERIES.c.number.desc())
        .limit(1)
    )
    found = db.execute(newest).mappings().first()
    return None if found is None else delivery_of(found)


def _row(db: Connection, subscription: str) -> RowMapping:
    found = db.execute(select(SUBSCRIPTIONS).where(SUBSCRIPTIONS.c.id == subscription)).mappings().first()
    if found is None:
        raise SubscriptionUnknown("there is no subscription with this id", remedy="see `knudepunkt subscription list`")
    return found


def _subscription_of(row: RowMapping) -> Subscription:
    wish = Wish(
        agreement=AgreementId(row["agreement"]),
        system=SystemId(row["system"]),
        service=ServiceName(row["service"]),
        contents=contents_of(row["contents"]),
        schedule=Schedule(row["schedule"]),
        target=target_of(json.loads(row["target"])),
        confirm_within_s=row["confirm_within_s"],
        purpose=row["purpose"],
    )
    return Subscription(
        id=SubscriptionId(row["id"]),
        wish=wish,
        standing=Standing(row["state"]),
        reason=row["reason"],
        created=datetime.fromisoformat(row["created"]),
        deliveries=row["deliveries"],
        reached=row["reached"],
        cursor=row["cursor"],
        planned=moment_of(row["planned"]),
    )
