"""Values of other datasets, asked of the mirror."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from kernel import DatasetId
from replica import DatasetNotReady, Lake
from tests.replica.builders import PERSONS, SETTINGS, a_delivery, a_row


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake.open(tmp_path / "lake", SETTINGS, write=True) as opened:
        opened.prepare(PERSONS)
        yield opened


def test_of_the_values_those_that_stand_in_the_column_are_given_once(lake: Lake) -> None:
    lake.publish(PERSONS, a_delivery([a_row("0000000001"), a_row("0000000002"), a_row("0000000003", status="90")]))
    there = lake.present(PERSONS.id, "status", pa.array(["01", "77", "90", None]))
    assert sorted(there.to_pylist()) == ["01", "90"]
    assert lake.present(PERSONS.id, "pnr", pa.array([], pa.string())).to_pylist() == []


def test_a_code_has_the_text_of_its_row(lake: Lake) -> None:
    lake.publish(PERSONS, a_delivery([a_row("0000000001", name="A"), a_row("0000000002", name=None)]))
    found = lake.texts(PERSONS.id, "pnr", "name", pa.array(["0000000001", "0000000002", "0000000009"]))
    assert dict(zip(found["code"].to_pylist(), found["text"].to_pylist(), strict=True)) == {
        "0000000001": "A", "0000000002": None,
    }  # fmt: skip


def test_what_was_never_mirrored_cannot_be_asked(lake: Lake) -> None:
    with pytest.raises(DatasetNotReady):
        lake.present(DatasetId("no.such"), "code", pa.array(["1"]))
    with pytest.raises(DatasetNotReady):
        lake.texts(PERSONS.id, "pnr", "name", pa.array(["1"]))
