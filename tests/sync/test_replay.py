"""The quarantine's replay: what was held back comes in once its fault is mended, and nothing old comes over new."""

from dataclasses import replace
from pathlib import Path

import pytest

from replica import Lake, Mode, ReplicaSettings
from schemas import Dataset
from sync import CprSpec, CsvSpec, FolderSpec, Outcome, RunReport, SourceSpec, generate, replay_quarantine, run_source
from tests.sync.conftest import FixedClock

HEAD = "code,name,region,cvr,population"
GOOD = "0101,København,Hovedstaden,64942212,623404"
NEGATIVE = "0147,Frederiksberg,Hovedstaden,11259979,-5"


class House:
    """A lake, an inbox, and one source of municipalities."""

    def __init__(self, root: Path, lake: Lake, mode: Mode = Mode.FULL) -> None:
        self.lake, self.inbox, self.work = lake, root / "inbox", root / "work"
        self.inbox.mkdir(exist_ok=True)
        self.spec = SourceSpec(
            name="municipalities",
            dataset="municipality.municipalities",  # type: ignore[arg-type]
            connector=FolderSpec(path=self.inbox, pattern="*"),
            decoder=CsvSpec(),
            mode=mode,
            max_quarantine_share=1.0,
        )

    def deliver(self, name: str, dataset: Dataset, *lines: str) -> RunReport:
        (self.inbox / name).write_text("\n".join([HEAD, *lines, ""]), encoding="utf-8")
        return run_source(self.spec, dataset, self.lake, clock=FixedClock(), work=self.work)

    def replay(self, dataset: Dataset) -> RunReport:
        report = replay_quarantine(self.spec, dataset, self.lake, clock=FixedClock(), work=self.work)
        assert list(self.work.iterdir()) == []
        return report


@pytest.fixture
def mended(municipalities: Dataset) -> Dataset:
    """The contract once somebody has seen that populations may be negative."""
    columns = tuple(
        replace(column, minimum=None) if column.name == "population" else column for column in municipalities.columns
    )
    return replace(municipalities, columns=columns)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, Lake.open(tmp_path / "lake", ReplicaSettings(), write=True), Mode.DELTA)


def names(lake: Lake, dataset: Dataset) -> dict[str, str]:
    rows = lake.scan(dataset).read_all().to_pylist()
    return {row["code"]: row["name"] for row in rows}


class TestAReplay:
    def test_publishes_what_passes_now_and_empties_the_quarantine(
        self, house: House, municipalities: Dataset, mended: Dataset
    ) -> None:
        assert house.deliver("a", municipalities, GOOD, NEGATIVE).quarantined == 1
        report = house.replay(mended)
        assert (report.outcome, report.rows_in, report.published) == (Outcome.PUBLISHED, 1, 1)
        assert names(house.lake, municipalities) == {"0101": "København", "0147": "Frederiksberg"}
        assert house.lake.quarantined(municipalities).num_rows == 0

    def test_keeps_what_still_breaks_a_rule(self, house: House, municipalities: Dataset) -> None:
        house.deliver("a", municipalities, GOOD, NEGATIVE)
        report = house.replay(municipalities)
        assert (report.published, report.quarantined) == (0, 1)
        held = house.lake.quarantined(municipalities).to_pylist()
        assert [(row["file"], row["rule"], row["text"]) for row in held] == [("a", "minimum", NEGATIVE)]
        assert house.replay(municipalities).quarantined == 1

    def test_never_puts_an_old_row_over_one_that_came_since(
        self, house: House, municipalities: Dataset, mended: Dataset
    ) -> None:
        house.deliver("a", municipalities, GOOD, NEGATIVE)
        house.deliver("b", municipalities, "0147,Frederiksberg Kommune,Hovedstaden,11259979,104000")
        report = house.replay(mended)
        assert report.published == 0
        assert names(house.lake, municipalities)["0147"] == "Frederiksberg Kommune"
        assert house.lake.quarantined(municipalities).num_rows == 0

    def test_of_a_full_load_deletes_nothing(
        self, tmp_path: Path, house: House, municipalities: Dataset, mended: Dataset
    ) -> None:
        house.spec = replace(house.spec, mode=Mode.FULL)
        house.deliver("a", municipalities, GOOD, NEGATIVE)
        house.replay(mended)
        assert set(names(house.lake, municipalities)) == {"0101", "0147"}

    def test_leaves_the_source_where_it_stood(self, house: House, municipalities: Dataset, mended: Dataset) -> None:
        house.deliver("a", municipalities, GOOD, NEGATIVE)
        before = house.lake.last_run("municipalities")
        house.replay(mended)
        after = house.lake.last_run("municipalities")
        assert before is not None
        assert after is not None
        assert after.cursor == before.cursor
        again = run_source(house.spec, municipalities, house.lake, clock=FixedClock(), work=house.work)
        assert again.outcome is Outcome.NOTHING_NEW

    def test_of_an_empty_quarantine_does_nothing(self, house: House, municipalities: Dataset) -> None:
        house.deliver("a", municipalities, GOOD)
        assert house.replay(municipalities).outcome is Outcome.NOTHING_NEW


def test_a_person_whose_record_type_was_not_known_comes_in_whole(
    tmp_path: Path, house: House, persons: Dataset
) -> None:
    """A CPR line is read again within its own delivery's start record."""
    lines = b"".join(generate(8, 1)).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(b"008"))
    spoilt = [*lines[:at], lines[at].replace(lines[at][3:13], b"12345X7890"), *lines[at + 1 :]]
    house.spec = replace(house.spec, name="cpr-persons", dataset=persons.id, decoder=CprSpec())
    (house.inbox / "d1").write_bytes(b"\n".join([*spoilt, b""]))
    report = run_source(house.spec, persons, house.lake, clock=FixedClock(), work=house.work)
    assert report.quarantined >= 1
    again = house.replay(persons)
    assert again.quarantined == report.quarantined
    assert again.lines_quarantined == report.lines_quarantined
    assert house.lake.quarantined(persons).num_rows == report.lines_quarantined
