"""Derived columns: computed, and looked up in code lists."""

import pyarrow as pa
import pytest

from kernel import DatasetId
from replica import DatasetNotReady
from schemas import Column, Computed, Dataset, Derivation, FromDataset, FromList, Kind
from schemas.grammar import read_expression
from sync.derive import derive
from sync.errors import ReferenceNotReady

KEY = Column(name="key", kind=Kind.TEXT)
STATUS = Column(name="status", kind=Kind.TEXT)


def computed(sql: str) -> Computed:
    return Computed(expression=read_expression(sql, (KEY, STATUS))[0])


def derived(
    how: Derivation, *status: str | None, texts: pa.Table | None = None, kind: Kind = Kind.TEXT
) -> list[object]:
    dataset = Dataset(
        register="r", name="d", columns=(KEY, Column(name="said", kind=kind, derived=how), STATUS), key="key"
    )
    rows = pa.table(
        {"key": pa.array(map(str, range(len(status))), pa.string()), "status": pa.array(status, pa.string())}
    )

    def ask(asked: DatasetId, code: str, text: str, codes: pa.Array) -> pa.Table:
        assert (asked, code, text) == ("o.statuses", "id", "name")
        if texts is None:
            raise DatasetNotReady("nothing there")
        return texts

    made = derive(rows, dataset, ask)
    assert made.schema.equals(dataset.arrow)
    said: list[object] = made["said"].to_pylist()
    return said


class TestADerivedColumn:
    def test_is_computed_from_the_row(self) -> None:
        assert derived(computed("CASE WHEN status = '90' THEN 'dead' ELSE 'other' END"), "90", "01", None) == [
            "dead", "other", "other",
        ]  # fmt: skip

    def test_is_null_where_a_value_does_not_fit(self) -> None:
        assert derived(computed("CAST(status AS BIGINT)"), "90", "x", None, kind=Kind.INTEGER) == [90, None, None]

    def test_may_be_the_same_for_all(self) -> None:
        assert derived(computed("'DK'"), "1", "2") == ["DK", "DK"]

    def test_is_looked_up_in_a_list(self) -> None:
        listed = FromList(column="status", file="x.csv", entries=(("01", "here"), ("90", "dead")))
        assert derived(listed, "90", "77", None, "01") == ["dead", None, None, "here"]

    def test_is_looked_up_in_another_dataset(self) -> None:
        there = FromDataset(column="status", dataset=DatasetId("o.statuses"), code="id", text="name")
        assert derived(there, "90", "77", None, texts=pa.table({"code": ["90"], "text": ["dead"]})) == [
            "dead", None, None,
        ]  # fmt: skip
        with pytest.raises(ReferenceNotReady, match=r"o\.statuses"):
            derived(there, "90")

    def test_of_no_rows_is_no_values(self) -> None:
        assert derived(computed("upper(status)")) == []
