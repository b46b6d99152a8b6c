"""Deliveries in numbers: what monitoring is told, whether a worker is alive or not."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from extract.delivery.alarms import AlarmKind, find_alarms
from extract.delivery.faults import DeliveryStepRefused, TargetUnreachable
from extract.delivery.figures import DeliveryFigures, Waiting, delivery_figures
from extract.delivery.outbox_patience import Patience
from extract.delivery.outbox_states import State
from extract.delivery.outbox_tables import DELIVERIES, DELIVERY_STEPS, ENDPOINTS, SUBSCRIPTIONS
from extract.delivery.subscription import DeliveryId, Kind, Standing, SubscriptionId
from extract.delivery.targets import HttpsTarget, Inbox
from kernel import AgreementId
from tests.delivery.builders import Desk, wish
from tests.extract.builders import SERVICE

PUSHED = HttpsTarget(url="https://receiver.example/in")
DOWN = TargetUnreachable("the endpoint cannot be reached", remedy="wait")


def figures(desk: Desk) -> DeliveryFigures:
    return delivery_figures(desk.database, desk.clock.now())


def alarms(desk: Desk) -> dict[str, int]:
    found = figures(desk).alarms
    assert {service for service, _ in found} <= {SERVICE}
    return {kind: count for (_, kind), count in found.items()}


@pytest.mark.parametrize("target", [None, Inbox()])
def test_what_nobody_fetches_is_an_alarm_until_somebody_does(desk: Desk, target: Inbox | None) -> None:
    made = desk.subscriptions.add(wish(target, confirm_within_s=3600), by="a test")
    desk.subscriptions.plan(made.id, 5)
    assert figures(desk).deliveries == {(SERVICE, State.PLANNED): 1}
    desk.courier.turn()
    desk.clock.pass_s(3599)
    assert alarms(desk) == {}
    desk.clock.pass_s(2)
    assert alarms(desk) == {AlarmKind.UNFETCHED: 1}
    assert figures(desk).oldest_s == {(SERVICE, Waiting.RECEIPT): 3601}
    (delivery,) = desk.outbox.book.listed()
    desk.outbox.fetched(AgreementId("agreement-1"), delivery.extract or "")
    assert alarms(desk) == {}
    assert not figures(desk).oldest_s
    assert not figures(desk).deliveries


def test_what_nobody_confirms_is_an_alarm_until_somebody_does(desk: Desk) -> None:
    made = desk.subscriptions.add(wish(PUSHED, confirm_within_s=60), by="a test")
    desk.subscriptions.plan(made.id, 5)
    desk.courier.turn()
    desk.clock.pass_s(61)
    assert alarms(desk) == {AlarmKind.UNCONFIRMED: 1}
    desk.outbox.confirmed(desk.outbox.book.listed()[0].id)
    assert alarms(desk) == {}


def test_what_does_not_arrive_is_an_alarm_and_a_dead_one_is_another(desk: Desk) -> None:
    desk.patience = Patience(attempts=2, failures=1)
    made = desk.subscriptions.add(wish(PUSHED, confirm_within_s=60), by="a test")
    desk.subscriptions.plan(made.id, 5)
    desk.trouble = [DOWN, DOWN]
    desk.courier.turn()
    assert (figures(desk).failing, figures(desk).resting) == (1, 1)
    desk.clock.pass_s(61)
    assert alarms(desk) == {AlarmKind.UNDELIVERED: 1}
    assert (figures(desk).failing, figures(desk).resting) == (1, 0)
    desk.courier.turn()
    assert alarms(desk) == {AlarmKind.DEAD: 1}
    assert figures(desk).oldest_s == {}
    # Asked for once more, it has its time anew.
    desk.outbox.redelivered(desk.outbox.book.listed()[0].id, "the endpoint is mended")
    assert alarms(desk) == {}
    desk.clock.pass_s(61)
    assert alarms(desk) == {AlarmKind.UNDELIVERED: 1}
    desk.courier.turn()
    desk.outbox.confirmed(desk.outbox.book.listed()[0].id)
    assert (alarms(desk), figures(desk).failing) == ({}, 0)


def test_an_alarm_does_not_end_because_something_new_is_on_its_way(desk: Desk) -> None:
    made = desk.subscriptions.add(wish(confirm_within_s=3600), by="a test")
    desk.subscriptions.plan(made.id, 5)
    desk.courier.turn()
    desk.clock.pass_s(3601)
    assert alarms(desk) == {AlarmKind.UNFETCHED: 1}
    desk.subscriptions.plan(made.id, 6)
    assert desk.outbox.book.listed()[0].state is State.PLANNED
    assert alarms(desk) == {AlarmKind.UNFETCHED: 1}
    desk.courier.turn()
    assert alarms(desk) == {AlarmKind.UNFETCHED: 1}
    desk.outbox.confirmed(desk.outbox.book.listed()[0].id)
    assert alarms(desk) == {}


def test_paused_ones_and_those_that_wait_for_nobody_are_counted_and_alarm_nobody(desk: Desk) -> None:
    patient = desk.subscriptions.add(wish(confirm_within_s=None), by="a test")
    paused = desk.subscriptions.add(wish(confirm_within_s=60), by="a test")
    ended = desk.subscriptions.add(wish(), by="a test")
    for each in (patient, paused):
        desk.subscriptions.plan(each.id, 5)
        desk.courier.turn()
    desk.subscriptions.turn(paused.id, Standing.PAUSED, "a holiday")
    desk.subscriptions.turn(ended.id, Standing.ENDED, "over")
    desk.clock.pass_s(100_000)
    found = figures(desk)
    assert not found.alarms
    assert not found.oldest_s
    assert found.deliveries == {(SERVICE, State.SENT): 2}
    assert found.subscriptions == {(SERVICE, Standing.ACTIVE): 1, (SERVICE, Standing.PAUSED): 1}


STEPS = st.lists(
    st.sampled_from(["plan", "turn", "fail", "wait", "confirm", "redeliver", "reject", "cancel"]), max_size=14
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=STEPS, target=st.sampled_from([None, PUSHED]), kind=st.sampled_from([Kind.FULL, Kind.CHANGES]))
def test_whatever_happened_what_is_told_is_what_the_worker_says(
    desk: Desk, steps: list[str], target: HttpsTarget | None, kind: Kind
) -> None:
    with desk.database.writing() as db:
        for table in (DELIVERY_STEPS, DELIVERIES, SUBSCRIPTIONS, ENDPOINTS):
            db.execute(table.delete())
    desk.patience = Patience(attempts=3, failures=2)
    made = desk.subscriptions.add(wish(target, kind=kind, confirm_within_s=600), by="a test")
    for number, step in enumerate(steps, 5):
        _take(desk, made.id, number, step)
    # As if nothing had been said before.
    with desk.database.writing() as db:
        db.execute(update(DELIVERIES).values(alarmed=None))
    said = Counter(each.kind for each in find_alarms(desk.database, desk.clock))
    told = alarms(desk)
    # A dead one is an alarm at once for whoever watches; the worker says it when its time is over.
    assert (said.pop(AlarmKind.DEAD, 0)) <= told.pop(AlarmKind.DEAD, 0)
    assert told == said
    for each in desk.outbox.book.listed():
        for end in (desk.outbox.confirmed, desk.outbox.cancelled):
            with suppress(DeliveryStepRefused):
                end(each.id, "nobody waits any more")
    assert not figures(desk).deliveries
    assert not alarms(desk)


def _take(desk: Desk, subscription: SubscriptionId, number: int, step: str) -> None:
    newest = next(iter(desk.outbox.book.listed()), None)
    if step == "plan":
        desk.subscriptions.plan(subscription, number)
    elif step in ("turn", "fail"):
        desk.trouble = [DOWN] if step == "fail" else []
        desk.courier.turn()
    elif step == "wait":
        desk.clock.pass_s(400)
    elif newest is not None:
        by_hand: dict[str, Callable[[DeliveryId, str], object]] = {
            "confirm": desk.outbox.confirmed, "redeliver": desk.outbox.redelivered,
            "reject": desk.outbox.rejected, "cancel": desk.outbox.cancelled,
        }  # fmt: skip
        with suppress(DeliveryStepRefused):
            by_hand[step](newest.id, "a test")
