"""When a source that fails is asked again: the table, and what always holds."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from integrations.breaker import TABLE, Breaker, Event, State


def test_the_table_knows_every_event_that_a_state_can_meet() -> None:
    possible = set(itertools.product(State, Event)) - {(State.CLOSED, Event.RESTED)}
    assert TABLE.keys() == possible


def test_it_opens_after_enough_failures_in_a_row_and_lets_one_call_try() -> None:
    breaker = Breaker(enough=3, shortest_s=2.0)
    for _ in range(3):
        assert breaker.asked(10.0) is not None
        breaker = breaker.failed(10.0)
    assert breaker.state is State.OPEN
    assert breaker.asked(11.9) is None
    trial = breaker.asked(12.0)
    assert trial is not None
    assert trial.state is State.HALF_OPEN
    assert trial.asked(12.1) is None, "one call tries, the others wait"
    assert trial.answered() == Breaker(enough=3, shortest_s=2.0, until=trial.until)


def test_an_answer_in_between_begins_the_count_anew() -> None:
    breaker = Breaker(enough=2).failed(0.0).answered().failed(0.0)
    assert breaker.state is State.CLOSED


def test_a_failed_trial_makes_the_rest_twice_as_long_up_to_a_limit() -> None:
    breaker, now, rests = Breaker(enough=1, shortest_s=1.0, longest_s=5.0), 0.0, []
    for _ in range(5):
        let_through = breaker.asked(now)
        assert let_through is not None
        breaker = let_through.failed(now)
        rests.append(breaker.until - now)
        now = breaker.until
    assert rests == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_an_answer_that_comes_late_does_not_end_a_rest() -> None:
    breaker = Breaker(enough=1, shortest_s=10.0).failed(0.0)
    assert breaker.answered().asked(1.0) is None


@given(st.lists(st.tuples(st.sampled_from(["ask", "answered", "failed"]), st.floats(0.0, 20.0)), max_size=60))
def test_nobody_is_refused_for_longer_than_the_longest_rest(events: list[tuple[str, float]]) -> None:
    breaker, now = Breaker(enough=3, shortest_s=1.0, longest_s=8.0), 0.0
    for event, passes in events:
        now += passes
        if event == "ask":
            breaker = breaker.asked(now) or breaker
        elif event == "answered":
            breaker = breaker.answered()
        else:
            breaker = breaker.failed(now)
        assert breaker.asked(now + 8.0) is not None
