from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.usage.builders import House, a_refusal, an_answer, die
from usage import Fault, UsageDamaged, ask, take_in, verify
from usage.lake import writing


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A sealed file of three events, another of one, and one that a living process is writing."""
    root = tmp_path_factory.mktemp("written")
    house = House(root / "ledger", root / "usage")
    house.record(an_answer(), a_refusal(), an_answer())
    house.record(an_answer())
    with house.open_ledger() as ledger:
        ledger.record(an_answer())
        ledger.record(a_refusal())
        yield house


def faults_when(path: Path, data: bytes, house: House) -> list[Fault]:
    with restored(path):
        path.write_bytes(data)
        return verify(house.ledger, house.usage)


def all_files(house: House) -> list[Path]:
    return [*house.files("sealed"), *house.files("open"), house.ledger / "files.jsonl"]


class TestOneByte:
    @settings(max_examples=150, deadline=None)
    @given(st.data())
    def test_a_changed_byte_shows_wherever_it_is(self, written: House, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(all_files(written)), "file")
        content = bytearray(path.read_bytes())
        at = data.draw(st.integers(0, len(content) - 1), "at")
        content[at] ^= data.draw(st.integers(1, 255), "bits")
        assert faults_when(path, bytes(content), written)

    @settings(max_examples=50, deadline=None)
    @given(st.data())
    def test_a_missing_or_an_added_byte_shows(self, written: House, data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(all_files(written)), "file")
        content = path.read_bytes()
        at = data.draw(st.integers(0, len(content) - 1), "at")
        added = data.draw(st.binary(max_size=1), "added")
        assert faults_when(path, content[:at] + added + content[at + (not added) :], written)


class TestLines:
    @pytest.mark.parametrize(
        "attack",
        [
            pytest.param(lambda lines: lines[:2] + lines[3:], id="a line removed"),
            pytest.param(lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], id="two lines swapped"),
            pytest.param(lambda lines: [*lines[:2], lines[1], *lines[2:]], id="a line doubled"),
            pytest.param(lambda lines: lines[:-1], id="the seal removed"),
            pytest.param(lambda lines: lines[:-2], id="an event and the seal removed"),
            pytest.param(lambda lines: lines[1:], id="the header removed"),
            pytest.param(lambda lines: lines + lines[-1:], id="the seal doubled"),
            pytest.param(lambda lines: [], id="everything removed"),
        ],
    )
    def test_a_sealed_file_shows(self, written: House, attack: Callable[[list[bytes]], list[bytes]]) -> None:
        path = written.files("sealed")[0]
        lines = path.read_bytes().splitlines(keepends=True)
        assert any(fault.file == path.name for fault in faults_when(path, b"".join(attack(lines)), written))

    def test_two_files_that_change_places_show(self, house: House) -> None:
        house.record(an_answer())
        house.record(an_answer())
        first, second = house.files("sealed")
        kept = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(kept)
        assert {fault.file for fault in verify(house.ledger, house.usage)} == {first.name, second.name}


class TestFiles:
    def test_what_stands_as_written_has_no_faults(self, written: House) -> None:
        assert verify(written.ledger, written.usage) == []

    def test_nothing_at_all_has_no_faults(self, house: House) -> None:
        assert verify(house.ledger, house.usage) == []

    @pytest.mark.parametrize("place", ["sealed", "open"])
    @pytest.mark.parametrize("which", [0, -1])
    def test_a_removed_file_shows(self, house: House, place: str, which: int) -> None:
        house.record(an_answer())
        house.record(an_answer())
        with house.open_ledger() as ledger:
            ledger.record(an_answer())
            path = house.files(place)[which]
            path.rename(path.with_suffix(".gone"))
            faults = verify(house.ledger, house.usage)
            path.with_suffix(".gone").rename(path)
        assert faults == [Fault(path.name, 0, "the file is missing")]

    def test_a_removed_file_shows_when_its_lines_in_the_list_went_with_it(self, house: House) -> None:
        with house.open_ledger(rotate_mb=1) as ledger:
            for _ in range(2_000):
                ledger.record(an_answer())
        first = house.files("sealed")[0]
        first.unlink()
        list_ = house.ledger / "files.jsonl"
        list_.write_bytes(
            b"".join(line for line in list_.read_bytes().splitlines(keepends=True) if first.stem.encode() not in line)
        )
        faults = verify(house.ledger, house.usage)
        assert Fault(first.name, 0, "the file is missing") in faults
        assert any(fault.file == "files.jsonl" for fault in faults)

    def test_a_torn_line_is_told_until_the_intake_has_cut_it_off(self, house: House) -> None:
        ledger = house.open_ledger()
        ledger.record(an_answer())
        die(ledger)
        with house.files("open")[0].open("ab") as file:
            file.write(b'{"seq":3')
        (fault,) = verify(house.ledger, house.usage)
        assert (fault.line, "killed" in fault.what) == (3, True)
        take_in(house.ledger, house.usage)
        assert verify(house.ledger, house.usage) == []

    def test_a_killed_process_that_listed_no_file_yet_is_no_fault(self, house: House) -> None:
        with house.open_ledger() as ledger:
            ledger.record(an_answer())
            list_ = house.ledger / "files.jsonl"
            listed = list_.read_bytes()
        path = house.files("sealed")[0]
        header = path.read_bytes().splitlines(keepends=True)[0]
        path.rename(house.ledger / "open" / path.name)
        (house.ledger / "open" / path.name).write_bytes(header)
        list_.write_bytes(b"" if listed.count(b"\n") == 1 else listed)
        assert verify(house.ledger, house.usage) == []
        take_in(house.ledger, house.usage)
        assert verify(house.ledger, house.usage) == []


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> House:
    root = tmp_path_factory.mktemp("taken")
    house = House(root / "ledger", root / "usage")
    house.record(an_answer("e-1"), an_answer("e-2"))
    house.record(an_answer("e-3"))
    take_in(house.ledger, house.usage)
    house.record(an_answer("e-4"))
    take_in(house.ledger, house.usage)
    assert verify(house.ledger, house.usage) == []
    return house


@contextmanager
def restored(path: Path) -> Iterator[None]:
    """What is done to the file in this block is undone after it."""
    kept = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(kept)


class TestLake:
    @pytest.mark.parametrize(
        "attack",
        [
            "DELETE FROM lake.main.calls WHERE event = 'e-2'",
            "UPDATE lake.main.calls SET status = 500 WHERE event = 'e-2'",
            "UPDATE lake.main.calls SET subjects = ['0'] WHERE event = 'e-3'",
            "INSERT INTO lake.main.calls FROM lake.main.calls WHERE event = 'e-1'",
            "INSERT INTO lake.main.calls SELECT * REPLACE ('x' AS file) FROM lake.main.calls WHERE event = 'e-1'",
            "DELETE FROM lake.main.ledger_files WHERE number = 2",
            "DELETE FROM lake.main.ledger_files WHERE number = 3",
            "UPDATE lake.main.ledger_files SET events = 7 WHERE number = 1",
            "UPDATE lake.main.ledger_files SET torn_bytes = 7 WHERE number = 3",
            "UPDATE lake.main.ledger_files SET number = 5 - number WHERE number > 1",
        ],
    )
    def test_a_change_in_the_lake_shows(self, taken: House, attack: str) -> None:
        with restored(taken.usage / "catalog.sqlite"):
            with writing(taken.usage) as con:
                con.execute(attack)
            assert verify(taken.ledger, taken.usage)

    def test_a_file_removed_after_it_was_taken_in_shows_even_without_its_list(self, taken: House) -> None:
        with restored(taken.files("taken")[0]), restored(taken.ledger / "files.jsonl"):
            taken.files("taken")[0].unlink()
            (taken.ledger / "files.jsonl").unlink()
            whats = {fault.what for fault in verify(taken.ledger, taken.usage)}
        assert "the file is missing, and was taken in" in whats
        assert "the list of ledger files was longer or other at this intake" in whats

    def test_a_data_file_that_is_gone_shows_and_the_answer_says_whose_fault_it_is(self, taken: House) -> None:
        data = taken.usage / "data" / "main" / "calls"
        data.rename(data.with_name("gone"))
        try:
            assert any(fault.file == "usage lake" for fault in verify(taken.ledger, taken.usage))
            with pytest.raises(UsageDamaged) as failed:
                ask(taken.ledger, taken.usage, "select sum(rows) from calls")
        finally:
            data.with_name("gone").rename(data)
        assert str(taken.usage) not in failed.value.message

    def test_a_lake_that_is_gone_shows(self, taken: House) -> None:
        with restored(taken.usage / "ready"):
            (taken.usage / "ready").unlink()
            assert any(fault.file == "usage lake" for fault in verify(taken.ledger, taken.usage))
