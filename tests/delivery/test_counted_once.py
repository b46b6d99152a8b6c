"""What a push costs is counted once, also when the courier is killed between the two stores that hear of it."""

import signal
from pathlib import Path

import pytest

from extract.delivery.accounting import DELIVERED, event_of
from extract.delivery.subscriptions import Subscriptions
from extract.delivery.targets import SftpTarget
from kernel import SystemClock
from tests.delivery.builders import Desk, a_parcel, run_courier, wish, working_day
from usage import ask, take_in

TARGET = SftpTarget(host="192.0.2.1", user="town", host_key="ssh-ed25519 " + "A" * 68)
QUESTION = "select count(*) as lines, count(distinct event) as events, sum(rows) as rows from calls where rows > 0"


@pytest.mark.slow
def test_a_line_that_stands_twice_in_the_ledger_is_one_event_in_every_answer(desk: Desk, tmp_path: Path) -> None:
    subscriptions = Subscriptions(desk.database, SystemClock(), working_day)
    subscriptions.plan(subscriptions.add(wish(TARGET), by="a test").id, 1)
    ledger, usage = tmp_path / "ledger", tmp_path / "usage"
    assert run_courier(tmp_path, "placing") == -signal.SIGKILL
    taken = take_in(ledger, usage)
    assert (taken.events, taken.repeated) == (2, 0), "the call and its rows"
    assert run_courier(tmp_path, "whole") == 0
    assert desk.outbox.book.listed()[0].state == "sent"
    # Before the second line is taken in, and after.
    assert ask(ledger, usage, QUESTION).table.to_pylist() == [{"lines": 1, "events": 1, "rows": 1}]
    taken = take_in(ledger, usage)
    assert (taken.events, taken.repeated) == (0, 2), "each said once more"
    assert ask(ledger, usage, QUESTION).table.to_pylist() == [{"lines": 1, "events": 1, "rows": 1}]


def test_what_is_another_push_is_another_event(desk: Desk, tmp_path: Path) -> None:
    subscription = desk.subscriptions.add(wish(TARGET), by="a test")
    delivery = desk.subscriptions.plan(subscription.id, 1)
    assert delivery is not None
    parcel = a_parcel(tmp_path)
    event = event_of(delivery, parcel, DELIVERED)
    assert event == event_of(delivery, parcel, DELIVERED)
    assert (event[14], event[19] in "89ab") == ("7", True), "sorts by time as every other id"
    desk.courier.turn()
    again = desk.outbox.redelivered(delivery.id, "once more")
    others = {event_of(again, parcel, DELIVERED), event_of(delivery, a_parcel(tmp_path, b"x"), DELIVERED)}
    assert len(others | {event}) == 3
