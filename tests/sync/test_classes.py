"""The classification: a hierarchy with validity, which a delivery cannot break."""

from pathlib import Path

import pytest

from kernel import DatasetId
from replica import Lake, Mode, ReplicaSettings
from schemas import SHIPPED, load_registers
from sync import CsvSpec, FolderSpec, RunReport, SourceSpec, run_source
from sync.testdata.classes import classes_csv
from tests.sync.conftest import FixedClock

CLASSES = load_registers(SHIPPED).dataset(DatasetId("classification.classes"))


def load(folder: Path, data: bytes) -> tuple[RunReport, list[dict[str, object]]]:
    inbox = folder / "inbox"
    inbox.mkdir()
    (inbox / "classes.csv").write_bytes(data)
    spec = SourceSpec(
        name="classes", dataset=CLASSES.id, connector=FolderSpec(path=inbox, pattern="*"), decoder=CsvSpec(),
        mode=Mode.FULL, max_quarantine_share=1.0,
    )  # fmt: skip
    with Lake.open(folder / "lake", ReplicaSettings(), write=True) as lake:
        report = run_source(spec, CLASSES, lake, clock=FixedClock(), work=folder / "work")
        return report, lake.scan(CLASSES).read_all().to_pylist() if report.ok else []


def test_every_class_hangs_below_one_of_the_level_above(tmp_path: Path) -> None:
    report, rows = load(tmp_path, classes_csv())
    assert report.quarantined == 0
    levels = {row["code"]: row["level"] for row in rows}
    for row in rows:
        assert (row["parent"] is None) == (row["level"] == 1)
        if row["parent"] is not None:
            assert levels[row["parent"]] == row["level"] - 1  # type: ignore[operator]
    assert any(row["valid_to"] for row in rows)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("07.01,subject,2,07,Uden hovedgruppe,,2020-01-01,", "foreign_key"),
        ("01.09,subject,2,01,Ender før den begynder,,2020-01-02,2020-01-01", "condition"),
        ("1.9,subject,2,01,Forkert nummer,,2020-01-01,", "pattern"),
        ("01.09,theme,2,01,Ukendt klassifikation,,2020-01-01,", "allowed"),
    ],
)
def test_a_class_that_breaks_the_order_is_held_back_alone(tmp_path: Path, line: str, rule: str) -> None:
    report, rows = load(tmp_path, classes_csv() + line.encode() + b"\n")
    assert (report.quarantined, set(report.reasons)) == (1, {rule})
    assert line.partition(",")[0] not in {row["code"] for row in rows}
