"""Several threads make one file, and nothing shows it but the time it takes."""

import itertools
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.ahead import in_order

PATIENCE_S = 60


class Broken(Exception):
    """What a test lets go wrong."""


OTHERS: set[threading.Thread] = set()
"""Threads that ran before the test: a house that other tests share may be making files too."""


@pytest.fixture(autouse=True)
def _others() -> None:
    OTHERS.clear()
    OTHERS.update(threading.enumerate())


def at_work() -> set[str]:
    return {each.name for each in set(threading.enumerate()) - OTHERS if each.name.startswith("extract-")}


def begun(items: Iterable[int], work: Any = lambda each: each) -> Any:
    """As a generator, so that a test can leave before the end."""
    return cast(Any, in_order(work, items))


class TestInOrder:
    @given(st.lists(st.integers(0, 3), max_size=20))
    def test_gives_what_was_made_of_each_in_their_order_however_long_each_takes(self, steps: list[int]) -> None:
        def slowly(each: tuple[int, int]) -> int:
            for _ in range(each[1] * 2_000):
                pass
            return each[0]

        assert list(in_order(slowly, enumerate(steps))) == list(range(len(steps)))
        assert not at_work()

    def test_gives_the_first_while_the_next_is_waited_for(self) -> None:
        gate = threading.Event()

        def items() -> Iterator[int]:
            yield 1
            assert gate.wait(PATIENCE_S)
            yield 2

        with closing(begun(items())) as made:
            assert next(made) == 1
            gate.set()
            assert list(made) == [2]

    def test_takes_few_items_before_they_are_wanted(self) -> None:
        taken = []
        with closing(begun(each for each in itertools.count() if not taken.append(each))) as made:  # type: ignore[func-returns-value]
            assert [next(made) for _ in range(50)] == list(range(50))
            assert len(taken) < 50 + 12
        assert not at_work()

    @pytest.mark.parametrize("where", ["item", "work"])
    def test_raises_in_its_turn_what_goes_wrong(self, where: str) -> None:
        def items() -> Iterator[int]:
            yield from (0, 1, 2)
            if where == "item":
                raise Broken
            yield from (3, 4, 5)

        def work(each: int) -> int:
            if each == 3:
                raise Broken
            return each

        seen: list[int] = []

        def see() -> None:
            for each in in_order(work, items()):
                seen.append(each)

        with pytest.raises(Broken):
            see()
        assert seen == [0, 1, 2]
        assert not at_work()

    def test_ends_its_threads_when_nobody_wants_the_rest(self) -> None:
        made = begun(range(1_000))
        assert next(made) == 0
        assert at_work()
        made.close()
        assert not at_work()
