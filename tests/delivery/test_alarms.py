"""A delivery nobody took within its time is an alarm, once."""

from extract.delivery.alarms import find_alarms
from extract.delivery.outbox_states import State
from extract.delivery.subscription import Kind, Standing
from extract.delivery.targets import HttpsTarget
from extract.errors import ExtractBroken
from kernel import AgreementId
from tests.delivery.builders import Calls, Desk, wish


def alarms(desk: Desk) -> list[int]:
    return [each.delivery.number for each in find_alarms(desk.database, desk.clock)]


def test_one_that_nobody_fetched(desk: Desk) -> None:
    made = desk.subscriptions.add(wish(kind=Kind.FULL, confirm_within_s=3600), by="a test")
    desk.subscriptions.plan(made.id, 5)
    desk.courier.turn()
    desk.clock.pass_s(3599)
    assert alarms(desk) == []
    desk.clock.pass_s(2)
    (alarm,) = find_alarms(desk.database, desk.clock)
    assert "Nobody has fetched or confirmed delivery 1" in alarm.words
    assert alarms(desk) == [], "once is enough"


def test_publications_do_not_make_it_young_again(desk: Desk) -> None:
    made = desk.subscriptions.add(wish(confirm_within_s=3600), by="a test")
    for snapshot in range(5, 9):
        desk.subscriptions.plan(made.id, snapshot)
        desk.courier.turn()
        desk.clock.pass_s(1000)
    assert alarms(desk) == [4]
    desk.subscriptions.plan(made.id, 20)
    desk.courier.turn()
    desk.clock.pass_s(4000)
    assert alarms(desk) == [], "of what took its place they were told already"
    newest = desk.outbox.book.listed()[0]
    desk.outbox.fetched(AgreementId("agreement-1"), newest.extract or "")
    assert desk.outbox.book.listed()[0].state is State.RECEIVED
    desk.subscriptions.plan(made.id, 21)
    desk.courier.turn()
    desk.clock.pass_s(4000)
    assert alarms(desk) == [6], "a new one is a new alarm"


def test_one_that_does_not_arrive(desk: Desk) -> None:
    target = HttpsTarget(url="https://receiver.example/in")
    made = desk.subscriptions.add(wish(target, confirm_within_s=3600), by="a test")
    desk.subscriptions.plan(made.id, 5)
    desk.trouble = [ExtractBroken("it is broken", remedy="wait")]
    desk.courier.turn()
    desk.clock.pass_s(3601)
    (alarm,) = find_alarms(desk.database, desk.clock)
    assert "because it is broken" in alarm.words


def test_no_alarm_for_what_is_taken_paused_or_waits_for_nobody(desk: Desk) -> None:
    taken = desk.subscriptions.add(wish(confirm_within_s=3600), by="a test")
    patient = desk.subscriptions.add(wish(confirm_within_s=None), by="a test")
    paused = desk.subscriptions.add(wish(confirm_within_s=3600), by="a test")
    for each in (taken, patient, paused):
        desk.subscriptions.plan(each.id, 5)
        desk.courier.turn()
    (mine,) = desk.outbox.book.listed(subscriptions=(taken.id,))
    desk.outbox.confirmed(mine.id)
    desk.subscriptions.turn(paused.id, Standing.PAUSED, "a holiday")
    desk.clock.pass_s(10_000)
    assert alarms(desk) == []


def test_one_that_a_quota_holds_back_at_once_and_then_as_any_other(desk: Desk) -> None:
    made = desk.subscriptions.add(wish(kind=Kind.FULL, confirm_within_s=3600), by="a test")
    desk.subscriptions.plan(made.id, 5)
    desk.quota = Calls(0)
    desk.courier.turn()
    (alarm,) = find_alarms(desk.database, desk.clock)
    assert "because the calls are used up" in alarm.words
    assert alarms(desk) == []
    desk.quota = Calls(1)
    desk.clock.pass_s(301)
    desk.courier.turn()
    assert desk.outbox.book.listed()[0].state is State.SENT
    desk.clock.pass_s(3601)
    assert alarms(desk) == [1], "that nobody fetched it is another matter"
