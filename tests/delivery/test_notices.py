"""What people are told of deliveries, as it stands in the inbox: each thing once, whoever is killed or overtaken."""

import signal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from extract.delivery.alarms import Alarm, find_alarms
from extract.delivery.faults import LeaseLost, QuotaUsedUp, TargetUnreachable
from extract.delivery.notices import Notice, of_alarm
from extract.delivery.outbox_patience import Patience
from extract.delivery.outbox_states import State
from extract.delivery.subscription import Kind, Subscription
from extract.delivery.subscriptions import Subscriptions
from extract.delivery.targets import HttpsTarget
from kernel import Clock, NotAllowed, SystemClock
from tests.delivery.builders import NOW, Calls, Desk, run_courier, wish, working_day
from tests.delivery.builders import TestClock as Moved

PUSHED = HttpsTarget(url="https://receiver.example/in")
DOWN = TargetUnreachable("it is down", remedy="wait")


def planned(desk: Desk, clock: Clock | None = None) -> Subscription:
    subscriptions = Subscriptions(desk.database, clock or desk.clock, working_day)
    made = subscriptions.add(wish(PUSHED, confirm_within_s=3600), by="a test")
    subscriptions.plan(made.id, 5)
    return made


def told(desk: Desk) -> list[str]:
    """The subjects in the inbox after the alarms were looked for."""
    subscriptions = desk.subscriptions

    def tell(db: Connection, alarm: Alarm) -> None:
        notice = of_alarm(alarm)
        if notice is not None:
            desk.tell(db, subscriptions.get(alarm.delivery.subscription), notice)

    find_alarms(desk.database, desk.clock, tell)
    return [subject for subject, _ in desk.notices]


class TestOnce:
    def test_that_a_quota_holds_it(self, desk: Desk) -> None:
        planned(desk)
        desk.quota = Calls(0)
        for _ in range(20):
            desk.courier.turn()
            assert told(desk) == ["A delivery is withheld"], "its alarm is for the operator"
            desk.clock.pass_s(301)

    def test_that_no_agreement_carries_it_and_then_that_its_time_is_over(self, desk: Desk) -> None:
        planned(desk)
        desk.refusal = NotAllowed("the agreement is suspended", remedy="ask the municipality")
        for _ in range(20):
            desk.courier.turn()
            told(desk)
            desk.clock.pass_s(301)
        assert told(desk) == ["A delivery is withheld", "A delivery waits"]

    def test_that_it_is_given_up_and_once_more_when_it_was_asked_for_once_more(self, desk: Desk) -> None:
        desk.patience = Patience(attempts=2, failures=100)
        planned(desk)
        for known in (1, 2):
            desk.trouble = [DOWN] * 2
            for _ in range(4):
                desk.courier.turn()
                desk.clock.pass_s(1000)
                told(desk)
            (dead,) = desk.outbox.book.listed()
            assert dead.state is State.DEAD
            assert told(desk) == ["A delivery has been given up"] * known
            desk.outbox.redelivered(dead.id, "the receiver is well again")

    def test_that_nobody_takes_what_is_there(self, desk: Desk) -> None:
        desk.subscriptions.plan(desk.subscriptions.add(wish(kind=Kind.FULL, confirm_within_s=60), by="a test").id, 5)
        desk.courier.turn()
        for _ in range(3):
            desk.clock.pass_s(61)
            assert told(desk) == ["A delivery waits"]

    def test_by_whoever_overtook_another(self, desk: Desk) -> None:
        planned(desk)
        slow, why = desk.outbox.claim(), QuotaUsedUp("the calls are used up", remedy="wait")
        assert slow is not None
        desk.clock.pass_s(desk.outbox.lease_s + 1)
        desk.quota = Calls(0)
        desk.courier.turn()
        with pytest.raises(LeaseLost):
            desk.outbox.withheld(
                slow, why, again_s=1.0,
                tell=lambda db, _: desk.tell(db, desk.subscriptions.listed()[0], Notice("never", "told")),
            )  # fmt: skip
        assert told(desk) == ["A delivery is withheld"]


@pytest.mark.slow
def test_a_courier_killed_as_it_tells_has_neither_told_nor_done_and_the_next_one_does_both(
    desk: Desk, tmp_path: Path
) -> None:
    planned(desk, SystemClock())
    for _ in range(2):
        assert run_courier(tmp_path, "telling") == -signal.SIGKILL
        assert (desk.outbox.book.listed()[0].state, desk.notices) == (State.PLANNED, [])
    desk.quota = Calls(0)
    desk.clock = Moved(max(NOW, SystemClock().now()))
    for _ in range(3):
        desk.clock.pass_s(400)
        desk.courier.turn()
    assert desk.outbox.book.listed()[0].state is State.WITHHELD
    assert told(desk) == ["A delivery is withheld"]
