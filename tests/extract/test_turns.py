"""Whose turn it is to write a file: one limit for the machine, and none who has all of it."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract.errors import TooManyExtracts
from extract.turns import MOST_AT_ONCE, Ticket, Turns, next_up
from kernel import AgreementId
from tests.extract.drawer import FREE
from tests.waiting import eventually

OURS, THEIRS = AgreementId("ours"), AgreementId("theirs")

tickets = st.lists(
    st.builds(Ticket, st.integers(0, 50), st.sampled_from("abc"), st.uuids().map(str), st.booleans()),
    unique_by=lambda each: each.id,
)


class TestWhoIsNext:
    @given(tickets, st.integers(1, 8))
    def test_fills_the_places_and_gives_nobody_all_of_them(self, found: list[Ticket], places: int) -> None:
        chosen = next_up(found, places)
        before = Counter(each.party for each in found if each.works)
        after = before + Counter(each.party for each in chosen)
        assert not any(each.works for each in chosen)
        assert len(set(chosen)) == len(chosen) <= max(0, places - before.total())
        most = max(1, places - 1)
        assert all(after[each.party] <= most for each in chosen)
        # Whoever waits still does so for a reason.
        for each in found:
            if not each.works and each not in chosen:
                assert after.total() >= places or after[each.party] >= most

    @given(tickets, st.integers(1, 8))
    def test_is_who_has_fewest_and_of_one_party_who_has_waited_longest(self, found: list[Ticket], places: int) -> None:
        chosen = next_up(found, places)
        working = Counter(each.party for each in found if each.works)
        for each in chosen:
            for other in found:
                if not other.works and other not in chosen:
                    # Nobody is passed over by one whose party had more.
                    assert working[each.party] <= working[other.party] or working[other.party] >= places - 1
                    assert each.party != other.party or each.since <= other.since
            working[each.party] += 1

    @given(tickets)
    def test_reads_its_names_back(self, found: list[Ticket]) -> None:
        assert [Ticket.read(each.name) for each in found] == found

    @pytest.mark.parametrize("name", [".lock", "", "x", "1.a.b.rests", "x.a.b.waits", "1.a.b.waits.x"])
    def test_passes_over_what_is_no_ticket(self, name: str) -> None:
        assert Ticket.read(name) is None


class TestTurns:
    def test_are_taken_in_order_and_a_place_is_left_for_another(self, tmp_path: Path) -> None:
        one, other = Turns(tmp_path, 3, look_s=0.0), Turns(tmp_path, 3, look_s=0.0)
        mine = [one.draw(OURS) for _ in range(4)]
        assert [one.begins(each) for each in mine] == [True, True, False, False]
        theirs, last = other.draw(THEIRS), other.draw(AgreementId("last"))
        assert [other.begins(theirs), other.begins(last)] == [True, False]
        mine[0].end()
        # Of those that wait, who has fewest at work comes first, though it came last.
        assert [one.begins(mine[2]), other.begins(last), one.begins(mine[2])] == [False, True, False]
        mine[1].end()
        assert [one.begins(mine[3]), one.begins(mine[2]), one.begins(mine[3])] == [False, True, False]
        for each in (*mine[2:], theirs, last):
            each.end()
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]

    def test_that_wait_hear_when_nobody_wants_them(self, tmp_path: Path) -> None:
        turns = Turns(tmp_path, 1)
        first, second = turns.draw(OURS), turns.draw(OURS)

        def unwanted() -> None:
            raise InterruptedError

        first.wait(unwanted)
        with pytest.raises(InterruptedError):
            second.wait(unwanted)

    def test_of_the_house_are_never_too_many(self, tmp_path: Path) -> None:
        turns = Turns(tmp_path, 1, most=2)
        for _ in range(5):
            turns.draw(None)
        turns.draw(OURS)
        turns.draw(OURS)
        with pytest.raises(TooManyExtracts) as refusal:
            turns.draw(OURS)
        assert (refusal.value.status, refusal.value.rule) == (429, "extracts.limit")


Begin = Callable[[str, int], "subprocess.Popen[str]"]


class TestSeveralProcesses:
    @pytest.fixture
    def begin(self, tmp_path: Path) -> Iterator[Begin]:
        """Starts a process that has files made for an agreement, three at once on the machine."""
        with ExitStack() as stack:

            def started(agreement: str, files: int) -> subprocess.Popen[str]:
                command = [sys.executable, "-m", "tests.extract.drawer"]
                arguments = [str(tmp_path / "files"), "3", agreement, str(files)]
                process = stack.enter_context(
                    subprocess.Popen(
                        command + arguments, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
                    )
                )
                stack.callback(process.kill)
                return process

            yield started

    def test_have_one_limit_and_leave_room_for_others(self, tmp_path: Path, begin: Begin) -> None:
        at_work = tmp_path / "at-work"

        def working() -> Counter[str]:
            return Counter(path.name.partition(".")[0] for path in at_work.iterdir())

        many = [begin("ours", 14) for _ in range(2)]
        assert sum(begun(each) for each in many) == MOST_AT_ONCE
        eventually(lambda: working() == {"ours": 2})

        # Another agreement's files are made while all of the first one's stand still, one after the other.
        free = begin(FREE, 3)
        assert begun(free) == 3
        assert free.wait(120) == 0
        assert working() == {"ours": 2}

        # A place is nobody's when its process was killed, and so is what it had waiting.
        for each in many:
            each.kill()
            each.wait()
        for path in at_work.iterdir():
            path.unlink()
        tickets = tmp_path / ".files-turns"
        assert len(list(tickets.iterdir())) == MOST_AT_ONCE + 1
        Turns(tickets, 3).tidy()
        assert [path.name for path in tickets.iterdir()] == [".lock"]
        again = begin("ours", MOST_AT_ONCE + 1)
        assert begun(again) == MOST_AT_ONCE
        eventually(lambda: working() == {"ours": 2})
        (tmp_path / "go").touch()
        assert again.wait(120) == 0
        assert not working()
        assert len(list((tmp_path / "files").glob("*.manifest.json"))) == MOST_AT_ONCE + 3
        assert [path.name for path in tickets.iterdir()] == [".lock"]


def begun(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())
