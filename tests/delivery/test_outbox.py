"""The outbox: states, order, leases, patience, breakers, planning."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.delivery.faults import (
    DeliveryStepRefused,
    LeaseLost,
    SubscriptionInvalid,
    SubscriptionStepRefused,
    TargetUnreachable,
)
from extract.delivery.outbox_patience import CLOSED, Breaker, Patience, waiting_s
from extract.delivery.outbox_states import CLAIMABLE, HOLDING, TRANSITIONS, State, Step, after
from extract.delivery.schedule import Schedule
from extract.delivery.subscription import Kind, Standing
from extract.delivery.targets import HttpsTarget
from kernel import AgreementId, NotAllowed, RowsDelivered
from tests.delivery.builders import NOW, Desk, wish, working_day

PUSHED = HttpsTarget(url="https://receiver.example/in")
OTHER = HttpsTarget(url="https://other.example/in")
DOWN = TargetUnreachable("the endpoint cannot be reached", remedy="wait")


class TestStates:
    def test_every_state_has_its_row(self) -> None:
        assert set(TRANSITIONS) == set(State)

    def test_what_was_cancelled_stays_so(self) -> None:
        assert not TRANSITIONS[State.CANCELLED]

    @given(st.lists(st.sampled_from(Step), max_size=30))
    def test_whatever_is_asked_it_is_received_only_after_it_was_sent(self, steps: list[Step]) -> None:
        state, sent = State.PLANNED, False
        for step in steps:
            try:
                state = after(state, step)
            except DeliveryStepRefused:
                continue
            sent = sent or state is State.SENT
            assert state is not State.RECEIVED or sent

    def test_a_dead_one_holds_back_and_is_not_tried(self) -> None:
        assert State.DEAD in HOLDING
        assert State.DEAD not in CLAIMABLE


class TestPatience:
    @given(st.integers(1, 10_000), st.text(max_size=10))
    def test_waiting_is_within_its_bounds_and_always_the_same(self, attempts: int, name: str) -> None:
        patience = Patience(first_s=2.0, longest_s=100.0)
        waits = waiting_s(patience, name, attempts)
        full = min(100.0, 2.0 * 2.0 ** min(attempts - 1, 40))
        assert full / 2 <= waits <= full
        assert waits == waiting_s(patience, name, attempts)

    def test_two_deliveries_do_not_come_back_together(self) -> None:
        waits = {waiting_s(Patience(), f"delivery {number}", 5) for number in range(50)}
        assert len(waits) == 50

    def test_an_endpoint_is_left_alone_after_its_failures_and_then_tried_by_one(self) -> None:
        patience, breaker = Patience(failures=3, rest_s=60), CLOSED
        for _ in range(3):
            assert breaker.lets_through(NOW)
            breaker = breaker.failed(NOW, patience)
        assert not breaker.lets_through(NOW + timedelta(seconds=59))
        later = NOW + timedelta(seconds=60)
        assert breaker.lets_through(later)
        assert not breaker.trying(later, patience).lets_through(later)
        assert Breaker(1).trying(NOW, patience).lets_through(NOW)


class TestOrder:
    def test_a_failed_delivery_holds_back_the_next_and_is_then_sent_first(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.trouble = [DOWN, None]
        assert desk.courier.turn() is not None
        # What is published meanwhile is in the next delivery; there is none before this one is sent.
        assert desk.subscriptions.plan(made.id, 6) is None
        assert desk.subscriptions.due(desk.clock.now()) == ()
        assert desk.courier.turn() is None, "it waits for its time"
        desk.clock.pass_s(3600)
        desk.courier.turn()
        desk.subscriptions.plan(made.id, 9)
        desk.courier.turn()
        assert [parcel.name for parcel in desk.sent] == ["1.csv", "2.csv"]
        second = desk.outbox.book.listed()[0]
        assert (second.since, second.until, second.why_full) == ("5", 9, "")

    def test_subscriptions_do_not_wait_for_each_other(self, desk: Desk) -> None:
        for target in (PUSHED, OTHER):
            made = desk.subscriptions.add(wish(target), by="a test")
            desk.subscriptions.plan(made.id, 5)
        desk.trouble = [DOWN, None]
        desk.courier.turn()
        desk.courier.turn()
        assert len(desk.sent) == 1

    def test_an_old_one_delivered_once_more_takes_nobody_back(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        for snapshot in (5, 6):
            desk.subscriptions.plan(made.id, snapshot)
            desk.courier.turn()
        first = desk.outbox.book.listed()[1]
        desk.outbox.redelivered(first.id, "asked for")
        desk.courier.turn()
        assert [parcel.name for parcel in desk.sent] == ["1.csv", "2.csv", "1.csv"]
        assert desk.subscriptions.get(made.id).cursor == "6"

    def test_a_resting_endpoint_gets_one_try_after_its_rest(self, desk: Desk) -> None:
        desk.patience = Patience(failures=2, rest_s=1000.0, first_s=1.0)
        for _ in range(4):
            made = desk.subscriptions.add(wish(PUSHED), by="a test")
            desk.subscriptions.plan(made.id, 5)
        desk.trouble = [DOWN] * 10
        while desk.courier.turn() is not None:
            pass
        assert len(desk.trouble) == 8, "two failed, then it was left alone"
        desk.clock.pass_s(1001)
        assert desk.courier.turn() is not None
        assert desk.courier.turn() is None
        desk.clock.pass_s(1001)
        desk.trouble = []
        while desk.courier.turn() is not None:
            pass
        assert len(desk.sent) == 4


class TestLeases:
    def test_two_workers_never_get_the_same(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        assert desk.outbox.claim() is not None
        assert desk.outbox.claim() is None

    def test_a_worker_that_was_overtaken_can_write_nothing_more(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        slow = desk.outbox.claim()
        assert slow is not None
        desk.clock.pass_s(61)
        quick = desk.outbox.claim()
        assert quick is not None
        assert quick.id == slow.id
        for act in (desk.outbox.renew, desk.outbox.placed, desk.outbox.sending, desk.outbox.arrived):
            with pytest.raises(LeaseLost):
                act(slow)
        with pytest.raises(LeaseLost):
            desk.outbox.failed(slow, DOWN)
        desk.outbox.renew(quick)

    def test_one_that_is_renewed_is_kept(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        held = desk.outbox.claim()
        assert held is not None
        for _ in range(5):
            desk.clock.pass_s(50)
            desk.outbox.renew(held)
            assert desk.outbox.claim() is None


class TestGivingUp:
    def test_it_is_dead_after_its_attempts_somebody_is_told_and_it_goes_on_by_hand(self, desk: Desk) -> None:
        desk.patience = Patience(attempts=3, failures=100)
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.trouble = [DOWN] * 3
        for _ in range(10):
            desk.courier.turn()
            desk.clock.pass_s(4000)
        (dead,) = desk.outbox.book.listed()
        assert (dead.state, dead.attempts, dead.fault_code) == (State.DEAD, 3, "target_unreachable")
        assert [subject for subject, _ in desk.notices] == ["A delivery has been given up"]
        assert desk.subscriptions.plan(made.id, 6) is None, "the later ones wait"
        desk.outbox.redelivered(dead.id, "the receiver is well again")
        desk.courier.turn()
        assert desk.outbox.book.listed()[0].state is State.SENT

    def test_after_one_that_was_cancelled_comes_a_full_one_that_says_why(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.courier.turn()
        planned = desk.subscriptions.plan(made.id, 6)
        assert planned is not None
        desk.outbox.cancelled(planned.id, "nobody wants it")
        following = desk.subscriptions.plan(made.id, 6)
        assert following is not None
        assert (following.since, following.why_full) == (None, "a delivery before this one was cancelled")


class TestAgreement:
    def test_without_an_agreement_nothing_leaves_until_there_is_one(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.refusal = NotAllowed("the agreement is suspended", remedy="ask the municipality")
        for _ in range(3):
            desk.courier.turn()
            desk.clock.pass_s(400)
        assert (desk.sent, desk.shelved, desk.facts) == ([], [], [])
        assert len(desk.notices) == 1, "once is enough"
        (held,) = desk.outbox.book.listed()
        assert (held.state, held.attempts) == (State.WITHHELD, 0)
        desk.refusal = None
        desk.courier.turn()
        assert desk.outbox.book.listed()[0].state is State.SENT
        assert [type(fact).__name__ for fact in desk.facts] == ["CallAnswered", "RowsDelivered"]

    def test_what_left_is_on_record_once_however_often_it_was_tried(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        held = desk.outbox.claim()
        assert held is not None
        parcel = desk.courier.make(made, desk.courier.grant_of(made), held, lambda: None)
        desk.outbox.placed(desk.outbox.sending(desk.outbox.produced(held, parcel)))
        desk.clock.pass_s(100)
        desk.courier.turn()
        assert not [fact for fact in desk.facts if isinstance(fact, RowsDelivered)]


class TestShelf:
    def test_a_consumer_that_was_away_gets_one_delivery_with_all_of_it(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.courier.turn()
        first = desk.outbox.book.listed()[0]
        assert first.extract is not None
        desk.outbox.fetched(AgreementId("agreement-1"), first.extract)
        for snapshot in (6, 7, 8):
            desk.subscriptions.plan(made.id, snapshot)
            desk.courier.turn()
        newest, *others = desk.outbox.book.listed()
        assert (newest.state, newest.since, newest.until) == (State.SENT, "5", 8)
        assert [each.state for each in others] == [State.SUPERSEDED, State.SUPERSEDED, State.RECEIVED]

    def test_another_agreement_that_fetches_the_same_file_confirms_nothing(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.courier.turn()
        ready = desk.outbox.book.listed()[0]
        desk.outbox.fetched(AgreementId("agreement-2"), ready.extract or "")
        assert desk.outbox.book.listed()[0].state is State.SENT

    def test_a_damaged_one_is_delivered_again(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.courier.turn()
        ready = desk.outbox.book.listed()[0]
        desk.outbox.rejected(ready.id, "the sum is another")
        desk.courier.turn()
        again = desk.outbox.book.listed()[0]
        assert (again.state, again.round) == (State.SENT, 1)
        assert desk.outbox.confirmed(ready.id).state is State.RECEIVED
        assert desk.outbox.confirmed(ready.id).state is State.RECEIVED
        steps = [each.step for each in desk.outbox.book.get(ready.id)[1]]
        assert steps == ["plan", "produce", "arrive", "reject", "produce", "arrive", "confirm"]


class TestSubscriptions:
    def test_nothing_new_is_no_delivery(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.courier.turn()
        assert desk.subscriptions.plan(made.id, 5) is None

    def test_full_ones_are_full_each_time(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED, Kind.FULL), by="a test")
        for snapshot in (5, 6):
            planned = desk.subscriptions.plan(made.id, snapshot)
            assert planned is not None
            assert (planned.since, planned.why_full) == (None, "")
            desk.courier.turn()

    def test_a_paused_one_sends_nothing_and_an_ended_one_never_again(self, desk: Desk) -> None:
        made = desk.subscriptions.add(wish(PUSHED), by="a test")
        desk.subscriptions.plan(made.id, 5)
        desk.subscriptions.turn(made.id, Standing.PAUSED, "a holiday")
        assert desk.courier.turn() is None
        desk.subscriptions.turn(made.id, Standing.ACTIVE, "back")
        desk.subscriptions.turn(made.id, Standing.ENDED, "no more")
        assert desk.outbox.book.listed()[0].state is State.CANCELLED
        assert desk.courier.turn() is None
        with pytest.raises(SubscriptionStepRefused):
            desk.subscriptions.turn(made.id, Standing.ACTIVE, "back")

    def test_it_is_due_at_its_time(self, desk: Desk) -> None:
        # Six in the morning in UTC is seven in Copenhagen, on a Monday.
        desk.subscriptions.add(wish(PUSHED, schedule="working 30 7"), by="a test")
        assert desk.subscriptions.due(desk.clock.now()) == ()
        desk.clock.pass_s(1801)
        assert len(desk.subscriptions.due(desk.clock.now())) == 1

    def test_working_days_leave_out_the_weekend(self) -> None:
        friday = NOW + timedelta(days=4, hours=1)
        due = Schedule.of("working 30 7").next(friday, working_day)
        assert due is not None
        assert due.strftime("%A %H:%M") == "Monday 06:30"

    @pytest.mark.parametrize(
        "text", ["", "sometimes", "working", "working 99 6", "0 6 * * 1", "* * * *", "working 1 2 3"]
    )
    def test_a_schedule_that_cannot_be_read_is_refused(self, text: str) -> None:
        with pytest.raises(SubscriptionInvalid):
            Schedule.of(text)
