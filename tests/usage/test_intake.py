import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.usage.builders import House, a_delivery, a_refusal, an_answer, die
from usage import UsageBusy, take_in, verify
from usage.chain import START, link
from usage.folder import LedgerFolder
from usage.intake import MERGE_AT
from usage.lake import reading, writing


def events_in_lake(house: House) -> Counter[str]:
    with reading(house.usage) as con:
        assert con is not None
        return Counter(row[0] for row in con.execute("SELECT event FROM lake.main.calls").fetchall())


def files_in_lake(house: House) -> list[dict[str, Any]]:
    with reading(house.usage) as con:
        assert con is not None
        return list(con.execute("FROM lake.main.ledger_files ORDER BY number").to_arrow_table().to_pylist())


class TestTakeIn:
    def test_sealed_files_enter_once_and_are_kept(self, house: House) -> None:
        house.record(an_answer("e-1"), a_refusal("e-2"), a_delivery("e-3"))
        house.record(an_answer("e-4"))
        taken = take_in(house.ledger, house.usage)
        assert (taken.files, taken.events, taken.faults) == (2, 4, ())
        assert take_in(house.ledger, house.usage).events == 0
        assert events_in_lake(house) == Counter(["e-1", "e-2", "e-3", "e-4"])
        assert len(house.files("taken")) == 2
        assert verify(house.ledger, house.usage) == []

    def test_a_living_writer_is_left_in_peace(self, house: House) -> None:
        with house.open_ledger() as ledger:
            ledger.record(an_answer("e-1"))
            taken = take_in(house.ledger, house.usage)
            assert (taken.files, taken.still_open) == (0, 1)
            ledger.record(an_answer("e-2"))
        assert take_in(house.ledger, house.usage).events == 2

    def test_a_dead_writers_file_enters_with_all_its_whole_lines(self, house: House) -> None:
        ledger = house.open_ledger()
        ledger.record(an_answer("e-1"))
        ledger.record(an_answer("e-2"))
        die(ledger)
        taken = take_in(house.ledger, house.usage)
        assert (taken.files, taken.events, taken.torn) == (1, 2, 0)
        assert verify(house.ledger, house.usage) == []

    @pytest.mark.parametrize("tail", [b'{"seq":4,"eve', b"\0\0\0\0", b'{"seq":4,"event":"e-3\n'])
    def test_a_torn_last_line_is_cut_off_counted_and_kept_aside(self, house: House, tail: bytes) -> None:
        ledger = house.open_ledger()
        ledger.record(an_answer("e-1"))
        ledger.record(an_answer("e-2"))
        die(ledger)
        (path,) = house.files("open")
        with path.open("ab") as file:
            file.write(tail)
        taken = take_in(house.ledger, house.usage)
        assert (taken.events, taken.torn, taken.faults) == (2, 1, ())
        assert files_in_lake(house)[0]["torn_bytes"] == len(tail)
        assert (house.ledger / "faulty" / f"{path.stem}.torn").read_bytes() == tail
        assert verify(house.ledger, house.usage) == []

    def test_a_file_with_a_fault_is_set_aside_and_told_and_the_others_enter(self, house: House) -> None:
        house.record(an_answer("e-1"), an_answer("e-2"))
        house.record(an_answer("e-3"))
        spoilt = house.files("sealed")[0]
        spoilt.write_bytes(spoilt.read_bytes().replace(b'"status":200', b'"status":500', 1))
        taken = take_in(house.ledger, house.usage)
        assert [(fault.file, fault.line) for fault in taken.faults] == [(spoilt.name, 2)]
        assert house.files("faulty") == [house.ledger / "faulty" / spoilt.name]
        assert events_in_lake(house) == Counter(["e-3"])
        assert [(fault.file, fault.line) for fault in verify(house.ledger, house.usage)] == [(spoilt.name, 2)]

    def test_a_damaged_line_in_the_middle_of_a_dead_writers_file_is_a_fault_not_a_torn_end(self, house: House) -> None:
        ledger = house.open_ledger()
        ledger.record(an_answer("e-1"))
        ledger.record(an_answer("e-2"))
        die(ledger)
        (path,) = house.files("open")
        lines = path.read_bytes().split(b"\n")
        lines[1] = lines[1][:-20]
        path.write_bytes(b"\n".join(lines))
        taken = take_in(house.ledger, house.usage)
        assert (taken.events, taken.torn, len(taken.faults)) == (0, 0, 1)
        assert house.files("faulty") == [house.ledger / "faulty" / path.name]

    def test_an_event_that_was_recorded_twice_counts_once(self, house: House) -> None:
        house.record(an_answer("e-1"), an_answer("e-1"), an_answer("e-2"))
        assert take_in(house.ledger, house.usage).repeated == 1
        house.record(an_answer("e-2"), an_answer("e-3"))
        assert take_in(house.ledger, house.usage).repeated == 1
        assert events_in_lake(house) == Counter(["e-1", "e-2", "e-3"])
        assert verify(house.ledger, house.usage) == []

    def test_a_forged_file_that_the_list_does_not_name_stays_outside(self, house: House) -> None:
        house.record(an_answer("e-1"))
        header = {"seq": 1, "kind": "header", "format": 1, "file": "forged", "node": "n", "role": "api", "pid": 1}
        first, digest = link(START, orjson.dumps(header))
        second, _ = link(digest, orjson.dumps({"seq": 2, "kind": "seal", "events": 0}))
        (house.ledger / "sealed" / "forged.jsonl").write_bytes(first + second)
        taken = take_in(house.ledger, house.usage)
        assert [fault.file for fault in taken.faults] == ["forged.jsonl"]
        assert taken.events == 1

    def test_only_one_intake_works_at_a_time(self, house: House) -> None:
        house.record(an_answer())
        with writing(house.usage), pytest.raises(UsageBusy):
            take_in(house.ledger, house.usage)

    def test_each_intake_holds_the_hash_of_the_one_before(self, house: House) -> None:
        for _ in range(2):
            house.record(an_answer())
            take_in(house.ledger, house.usage)
        notes = files_in_lake(house)
        assert [note["number"] for note in notes] == [1, 2]
        assert [note["previous"] for note in notes] == [START.decode(), notes[0]["hash"]]

    def test_what_killed_processes_left_is_swept_up_when_it_is_old(self, house: House) -> None:
        house.record(an_answer())
        drafts = [house.ledger / "open" / name for name in (".old.part", ".young.part")]
        scraps = [house.usage / "scratch" / name for name in ("old", "young")]
        for left in (*drafts, *scraps):
            left.parent.mkdir(parents=True, exist_ok=True)
            left.mkdir() if left in scraps else left.touch()
        for left in (drafts[0], scraps[0]):
            os.utime(left, (0, 0))
        take_in(house.ledger, house.usage)
        assert [left.exists() for left in (*drafts, *scraps)] == [False, True, False, True]

    def test_it_says_in_one_line_what_it_did(self, house: House) -> None:
        house.record(an_answer(), an_answer())
        assert take_in(house.ledger, house.usage).one_line() == "2 events from 1 ledger files"


class TestMerge:
    def test_many_small_files_become_few_and_nothing_changes(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("usage.intake.MERGE_AT", 2)
        for number in range(4):
            house.record(an_answer(f"e-{number}"))
            take_in(house.ledger, house.usage)
        assert events_in_lake(house) == Counter(f"e-{number}" for number in range(4))
        with reading(house.usage) as con:
            assert con is not None
            found = con.execute("SELECT max(file_count) FROM ducklake_table_info('lake')").fetchone()
        assert found is not None
        assert found[0] <= 2 < MERGE_AT
        assert verify(house.ledger, house.usage) == []


class Crash(BaseException):
    """The process ends here; nothing that would tidy up runs."""


class CrashesBefore:
    """Counts steps that reach the disk, and ends the process before one of them."""

    def __init__(self, step: int) -> None:
        self.left = step

    def watch(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise Crash
            return real(*args, **named)

        return step


def take_in_until_crash(house: House, monkeypatch: pytest.MonkeyPatch, crash: CrashesBefore) -> bool:
    """Whether the intake came to its end."""
    with monkeypatch.context() as patch:
        for owner, name in (
            (LedgerFolder, "note"), (LedgerFolder, "move"), (os, "ftruncate"), (os, "write"), (Path, "write_bytes"),
        ):  # fmt: skip
            patch.setattr(owner, name, crash.watch(getattr(owner, name)))
        try:
            take_in(house.ledger, house.usage)
        except Crash:
            return False
        return True


class TestCrash:
    def test_an_intake_that_dies_before_any_step_neither_loses_nor_doubles(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recorded: Counter[str] = Counter()
        ended, step = False, 0
        while not ended:
            step += 1
            alive, dead = an_answer(), an_answer()
            house.record(alive)
            ledger = house.open_ledger()
            ledger.record(dead)
            die(ledger)
            with house.files("open")[0].open("ab") as file:
                file.write(b'{"torn')
            recorded.update([alive.event, dead.event])
            ended = take_in_until_crash(house, monkeypatch, CrashesBefore(step))
            take_in(house.ledger, house.usage)
        assert step > 7
        assert events_in_lake(house) == recorded
        assert verify(house.ledger, house.usage) == []
