"""What follows from a dataset's columns, and when a row is protected."""

from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import Classification, Column, Dataset, Kind, ProtectionRule

TODAY = date(2031, 5, 17)


def protected(**period: Any) -> dict[str, Any]:
    return {"protections": [{"type": "0001", "from_date": None, "to_date": None, **period}]}


class TestProtectionRule:
    @pytest.mark.parametrize(
        ("start", "end", "active"),
        [
            (date(2031, 5, 17), None, True),
            (date(2031, 5, 18), None, False),
            (None, date(2031, 5, 18), True),
            (None, date(2031, 5, 17), False),
            (date(2031, 1, 1), date(2031, 12, 31), True),
            (None, None, False),
        ],
    )
    def test_runs_from_its_first_day_to_the_day_before_its_last(
        self, start: date | None, end: date | None, active: bool
    ) -> None:
        assert ProtectionRule().active(protected(from_date=start, to_date=end), TODAY) is active

    def test_other_kinds_of_protection_hide_nothing(self) -> None:
        row = protected(type="0003", from_date=date(2020, 1, 1))
        assert not ProtectionRule().active(row, TODAY)

    def test_a_row_without_protections_is_not_protected(self) -> None:
        assert not ProtectionRule().active({"protections": None}, TODAY)
        assert not ProtectionRule().active({"protections": []}, TODAY)

    @given(st.lists(st.tuples(st.none() | st.dates(), st.none() | st.dates())), st.dates())
    def test_one_active_protection_is_enough(self, periods: list[tuple[date | None, date | None]], day: date) -> None:
        rows = [protected(from_date=start, to_date=end) for start, end in periods]
        together = {"protections": [row["protections"][0] for row in rows]}
        assert ProtectionRule().active(together, day) == any(ProtectionRule().active(row, day) for row in rows)


class TestDataset:
    def test_its_arrow_schema_follows_from_its_columns(self) -> None:
        names = Column(
            name="names",
            kind=Kind.ARRAY,
            item=Column(name="item", kind=Kind.OBJECT, fields=(Column(name="since", kind=Kind.DATE),)),
        )
        plain = tuple(
            Column(name=kind.name.lower(), kind=kind)
            for kind in (Kind.TEXT, Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE, Kind.TIMESTAMP)
        )
        dataset = Dataset(register="r", name="d", columns=(*plain, names), key="text")
        assert dataset.arrow == pa.schema(
            [
                pa.field("text", pa.string()),
                pa.field("integer", pa.int64()),
                pa.field("number", pa.float64()),
                pa.field("boolean", pa.bool_()),
                pa.field("date", pa.date32()),
                pa.field("timestamp", pa.timestamp("us")),
                pa.field("names", pa.list_(pa.struct([pa.field("since", pa.date32())]))),
            ]
        )

    def test_is_as_strict_as_its_strictest_column(self) -> None:
        key = Column(name="key", kind=Kind.TEXT)
        address = Column(name="address", kind=Kind.TEXT, classification=Classification.PROTECTED)
        dataset = Dataset(register="r", name="d", columns=(key, address), key="key")
        assert dataset.classification is Classification.PROTECTED
        assert dataset.personal
        assert dataset.key_is_public
        assert dataset.protected_columns == ("address",)
