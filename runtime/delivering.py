"""Deliveries from above: the desk, the courier and the planner, made of what the house has; and the worker's job."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_network
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import Connection

from control import Role
from control.notices.store import tell
from extract import Circles, Database, DeliverySettings, Seal
from extract.delivery.circle_file import CircleMaker
from extract.delivery.courier import Courier
from extract.delivery.desk import DeliveryDesk
from extract.delivery.making import Maker
from extract.delivery.notices import Notice
from extract.delivery.outbox import Outbox
from extract.delivery.outbox_patience import Patience
from extract.delivery.outbox_rows import Delivery
from extract.delivery.parcel import Parcel
from extract.delivery.push_https import Poster, secret_of, shown_secret
from extract.delivery.subscription import Kind, Subscription, SubscriptionId, Wish
from extract.delivery.subscriptions import Subscriptions
from extract.delivery.targets import Reach
from kernel import (
    Call,
    Caller,
    CallerMistake,
    Channel,
    Grant,
    Operation,
    OperatorMistake,
    PlatformError,
    ServiceName,
    SnapshotId,
    new_trace_id,
)
from replica import DatasetNotReady, SnapshotInfo
from runtime.clock import CLOCK
from runtime.delivery_keys import circle_key, delivery_key, platform_tls
from runtime.delivery_limits import Limits, served_purpose
from runtime.instance import Instance
from runtime.record_forms import gone_form, record_forms
from runtime.room import floor_of
from runtime.wiring import House
from schemas import Dataset
from sync import is_working_day

if TYPE_CHECKING:
    from api import Doors

_log = structlog.get_logger(__name__)


class NetworkInvalid(OperatorMistake):
    code = "network_invalid"
    title = "A network of the settings cannot be read"


@dataclass(frozen=True, slots=True)
class Delivering:
    """Everything about deliveries, for one process."""

    house: House
    stopping: Callable[[], bool] = lambda: False
    database: Database = field(init=False)

    def __post_init__(self) -> None:
        control = self.house.control
        object.__setattr__(self, "database", Database(control.reading, control.noting))

    @property
    def settings(self) -> DeliverySettings:
        return self.house.settings.delivery

    @property
    def outbox(self) -> Outbox:
        given = self.settings
        patience = Patience(
            first_s=given.first_wait_s, longest_s=given.longest_wait_s, attempts=given.attempts,
            failures=given.failures, rest_s=given.rest_s,
        )  # fmt: skip
        return Outbox(self.database, CLOCK, patience, lease_s=given.lease_s)

    @property
    def subscriptions(self) -> Subscriptions:
        return Subscriptions(self.database, CLOCK, is_working_day)

    @property
    def desk(self) -> DeliveryDesk:
        return DeliveryDesk(
            subscriptions=self.subscriptions,
            outbox=self.outbox,
            reach=reach_of(self.settings),
            check=self._check,
            secret=lambda subscription: shown_secret(secret_of(delivery_key(self.house.instance), subscription)),
        )

    @property
    def maker(self) -> Maker:
        house = self.house
        return Maker(
            store=house.extracts,
            shelf=house.shelf,
            dataset_of=self._dataset_of,
            info_of=self._info_of,
            corrections=house.scanner.corrections,
            clock=CLOCK,
            before=self.outbox.book.manifest_before,
        )

    @property
    def circle_maker(self) -> CircleMaker:
        return CircleMaker(
            maker=self.maker, circles=self.circles, scan=self.house.scanner.scan, forms=record_forms(),
            gone=gone_form(), folder=self.house.instance.extracts / "circles", floor=floor_of(self.house.settings),
        )  # fmt: skip

    @property
    def circles(self) -> Circles:
        return Circles(self.database, Seal(circle_key(self.house.instance)), self._exists, CLOCK)

    @property
    def courier(self) -> Courier:
        # Late: who has the desk alone sends nothing, and does without the libraries for it.
        from runtime.senders import sender_of

        return Courier(
            outbox=self.outbox,
            subscriptions=self.subscriptions,
            grant_of=self.grant_of,
            make=self._make,
            quota=Limits(self.house.counters, CLOCK),
            sender_of=partial(sender_of, self.house),
            tell=partial(tell_owner, self.house),
            observe=self.house.observe,
            clock=CLOCK,
            stopping=self.stopping,
        )

    def plan(self) -> None:
        """Plan what is due. One subscription's trouble keeps nobody else's from being planned."""
        subscriptions = self.subscriptions
        newest: dict[ServiceName, SnapshotInfo] = {}
        for each in subscriptions.due(CLOCK.now()):
            service = each.wish.service
            try:
                info = newest.get(service) or self._info_of(self._dataset_of(service), None)
            except DatasetNotReady:
                continue
            except PlatformError as error:
                _log.warning("delivery_not_planned", subscription=each.id, code=error.code)
                continue
            newest[service] = info
            subscriptions.plan(each.id, info.snapshot)
        self.circle_maker.clear(self.outbox.book.waits)

    def send(self) -> None:
        """Bring what is due, several at once, until nothing is."""

        def bring() -> None:
            while not self.stopping() and self.courier.turn() is not None:
                pass

        with ThreadPoolExecutor(self.settings.senders, thread_name_prefix="sender") as pool:
            for each in [pool.submit(bring) for _ in range(self.settings.senders)]:
                each.result()

    def grant_of(self, subscription: Subscription) -> Grant:
        return self.grant_for(subscription.wish)

    def grant_for(self, wish: Wish) -> Grant:
        """The permission that carries a subscription now. Raises the refusals of `control`."""
        policy, now = self.house.watcher.current(), CLOCK.now()
        policy.ensure_in_use(wish.system)
        caller = Caller(system=wish.system, name="of the subscription", organisation_cvr="", credential="")
        call = Call(
            trace=new_trace_id(), caller=caller, channel=Channel.PUSH, service=wish.service,
            operation=Operation.EXTRACT, received=now, agreement=wish.agreement,
        )  # fmt: skip
        try:
            return policy.grant(call, now)
        except CallerMistake as refusal:
            if refusal.municipality_cvr is None:
                raise
            # One that was renewed has a successor between the same parties.
            with suppress(CallerMistake):
                return policy.grant(replace(call, agreement=None, municipality_cvr=refusal.municipality_cvr), now)
            raise

    def _make(self, subscription: Subscription, grant: Grant, delivery: Delivery, alive: Callable[[], None]) -> Parcel:
        circle = subscription.wish.contents.kind is Kind.CIRCLE
        return (self.circle_maker if circle else self.maker)(subscription, grant, delivery, alive)

    def _check(self, wish: Wish, grant: Grant) -> None:
        served_purpose(grant, wish.purpose)
        contents = wish.contents
        (self.circle_maker if contents.kind is Kind.CIRCLE else self.maker).check(contents, grant)

    def _dataset_of(self, service: ServiceName) -> Dataset:
        return dataset_of(self.house, service)

    def _info_of(self, dataset: Dataset, snapshot: SnapshotId | None) -> SnapshotInfo:
        return self.house.scanner.info(dataset, snapshot)

    def _exists(self, grant: Grant, numbers: frozenset[str]) -> frozenset[str]:
        # Where lookups find them: the lake takes a tenth of a second for a question.
        reader = self.house.lookups.reader(self._dataset_of(grant.service).id)
        found, _ = reader.get_many(sorted(numbers), tuple(grant.rows))
        return frozenset(
            key for key, row in found.items() if all(row[name] in values for name, values in grant.rows.items())
        )


def with_deliveries(doors: "Doors", house: House) -> "Doors":
    """What the API needs, subscriptions and circles included."""
    delivering = Delivering(house)
    return replace(doors, delivery=delivering.desk, circles=delivering.circles)


def dataset_of(house: House, service: ServiceName) -> Dataset:
    """The dataset that a service gives out in bulk. Raises what the registers raise, ServiceGivesNoFiles."""
    found = house.registers.service(service)
    if found.dataset is None or Operation.EXTRACT not in found.operations:
        raise ServiceGivesNoFiles(
            f"the service {service} gives no files", remedy="subscribe to an extract service; see GET /v1/catalogue"
        )
    return house.registers.dataset(found.dataset)


class ServiceGivesNoFiles(PlatformError):
    code = "service_gives_no_files"
    status = 400
    title = "The service gives no files"


def tell_owner(house: House, db: Connection, subscription: Subscription, notice: Notice) -> None:
    """Into the inbox of the organisation that owns the system of a subscription, in a transaction of the deliveries:
    they lie in the same database.
    """
    owner = next((each for each in house.control.systems() if each.id == subscription.wish.system), None)
    if owner is not None:
        tell(
            db, to=owner.organisation, roles=frozenset({Role.ADMINISTRATOR, Role.USER}), subject=notice.subject,
            text=notice.text, about=f"subscription {subscription.id}", at=CLOCK.now(),
        )  # fmt: skip


def reach_of(settings: DeliverySettings) -> Reach:
    """Raises NetworkInvalid."""
    try:
        return Reach(tuple(ip_network(each) for each in settings.allow_networks))
    except ValueError:
        raise NetworkInvalid(
            "a network in [delivery] allow_networks cannot be read", remedy="write it as 10.20.0.0/16"
        ) from None


def poster_of(instance: Instance, settings: DeliverySettings, url: str, subscription: SubscriptionId | str) -> Poster:
    return Poster(
        url=url, secret=secret_of(delivery_key(instance), subscription), tls=platform_tls(instance),
        reach=reach_of(settings), clock=CLOCK, timeout_s=settings.timeout_s,
    )  # fmt: skip
