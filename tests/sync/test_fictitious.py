"""A test environment takes nobody's data: what is not known to be invented is refused, and nothing of it is kept."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from replica import Lake, Mode, ReplicaSettings
from schemas import Classification, Column, Dataset, Kind
from sync import CsvSpec, FolderSpec, Outcome, RunReport, SourceSpec, replay_quarantine, run_source
from tests.sync.conftest import FixedClock

MEMBERS = Dataset(
    register="club",
    name="members",
    key="number",
    columns=(
        Column(name="number", kind=Kind.TEXT, required=True, classification=Classification.PERSONAL),
        Column(name="age", kind=Kind.INTEGER),
    ),
    fictitious="99[0-9]{2}",
)
PUBLIC = replace(
    MEMBERS, columns=tuple(replace(each, classification=Classification.PUBLIC) for each in MEMBERS.columns)
)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", ReplicaSettings(), write=True) as opened:
        yield opened


def source(tmp_path: Path, **settings: object) -> SourceSpec:
    spec = SourceSpec(
        name="members",
        dataset=MEMBERS.id,
        connector=FolderSpec(path=tmp_path / "inbox", pattern="*"),
        decoder=CsvSpec(),
        mode=Mode.FULL,
        max_quarantine_share=1.0,
    )
    return replace(spec, **settings)  # type: ignore[arg-type]


def load(
    tmp_path: Path, lake: Lake, *lines: str, dataset: Dataset = MEMBERS, test: bool = True, **settings: object
) -> RunReport:
    (tmp_path / "inbox").mkdir(exist_ok=True)
    (tmp_path / "inbox" / "members.csv").write_text("\n".join(("number,age", *lines, "")))
    spec = source(tmp_path, **settings)
    clock, work = FixedClock(), tmp_path / "work"
    return run_source(spec, dataset, lake, clock=clock, work=work, accept=True, fictitious_only=test)


def refused(report: RunReport, lake: Lake, dataset: Dataset = MEMBERS) -> str:
    """Nothing of a refused delivery is kept, held-back lines least of all."""
    (file,) = report.files
    assert file.outcome is Outcome.REFUSED
    assert lake.info(dataset) is None
    assert lake.quarantined(dataset).num_rows == 0
    return file.message


def test_invented_rows_come_in(tmp_path: Path, lake: Lake) -> None:
    assert load(tmp_path, lake, "9901,40", "9902,41").outcome is Outcome.PUBLISHED


@pytest.mark.parametrize("number", ["1234", "990", "99011", "x9901", "9901 "])
def test_one_real_row_keeps_the_whole_delivery_out_even_when_an_operator_accepts_it(
    tmp_path: Path, lake: Lake, number: str
) -> None:
    said = refused(load(tmp_path, lake, "9901,40", f"{number},41"), lake)
    assert "1 of 2 rows are not fictitious" in said
    assert number not in said


def test_lines_that_cannot_be_read_are_not_known_to_be_invented(tmp_path: Path, lake: Lake) -> None:
    assert "no line can be read" in refused(load(tmp_path, lake, "1234,forty"), lake)


def test_a_register_that_does_not_say_how_invented_rows_are_known_stays_out(tmp_path: Path, lake: Lake) -> None:
    untold = replace(MEMBERS, fictitious=None)
    assert "does not say" in refused(load(tmp_path, lake, "9901,40", dataset=untold), lake)


def test_whoever_writes_the_source_file_may_vouch(tmp_path: Path, lake: Lake) -> None:
    assert load(tmp_path, lake, "1234,40", fictitious=True).outcome is Outcome.PUBLISHED


def test_public_registers_are_nobodys(tmp_path: Path, lake: Lake) -> None:
    assert load(tmp_path, lake, "1234,40", dataset=PUBLIC).outcome is Outcome.PUBLISHED


def test_production_takes_everybody(tmp_path: Path, lake: Lake) -> None:
    assert load(tmp_path, lake, "1234,40", test=False).outcome is Outcome.PUBLISHED


def test_held_back_lines_are_judged_again_when_they_are_replayed(tmp_path: Path, lake: Lake) -> None:
    load(tmp_path, lake, "9901,40", "1234,forty", test=True)
    mended = replace(MEMBERS, columns=(MEMBERS.columns[0], Column(name="age", kind=Kind.TEXT)))
    report = replay_quarantine(
        source(tmp_path), mended, lake, clock=FixedClock(), work=tmp_path / "work", fictitious_only=True
    )
    assert [each.outcome for each in report.files] == [Outcome.REFUSED]
