"""The contract's rules on whole columns."""

import pyarrow as pa

from schemas import Column, Dataset, Kind
from sync.quality import violations


def dataset(**rules: object) -> Dataset:
    key = Column(name="key", kind=Kind.TEXT, required=True, unique=True)
    kind = Kind.INTEGER if {"minimum", "maximum"} & rules.keys() else Kind.TEXT
    value = Column(name="value", kind=kind, **rules)  # type: ignore[arg-type]
    return Dataset(register="r", name="d", columns=(key, value), key="key")


def broken(values: list[object], **rules: object) -> list[tuple[str, str]]:
    which = dataset(**rules)
    rows = pa.table({"key": [str(place) for place in range(len(values))], "value": values}, schema=which.arrow)
    return [(key, rule) for key, rule, _ in violations(rows, which).rows()]


class TestARuleOfTheContract:
    def test_required_is_broken_by_nothing(self) -> None:
        assert broken(["a", None], required=True) == [("1", "required")]

    def test_unique_is_broken_by_all_that_share_a_value_but_not_by_nothing(self) -> None:
        assert broken(["a", None, "b", "a", None], unique=True) == [("0", "unique"), ("3", "unique")]

    def test_pattern_holds_for_the_whole_text(self) -> None:
        assert broken(["0101", "01010", None, "x0101"], pattern=r"[0-9]{4}") == [("1", "pattern"), ("3", "pattern")]

    def test_bounds_are_inclusive(self) -> None:
        assert broken([0, 1, 5, 6, None], minimum=1, maximum=5) == [("0", "minimum"), ("3", "maximum")]

    def test_allowed_names_all_that_is(self) -> None:
        assert broken(["K", "M", "x", None], allowed=frozenset({"K", "M"})) == [("2", "allowed")]

    def test_only_the_first_that_a_row_breaks_is_told(self) -> None:
        assert broken(["x"], pattern="y", allowed=frozenset({"y"})) == [("0", "pattern")]

    def test_says_what_is_wrong_without_the_value(self) -> None:
        which = dataset(pattern="y")
        rows = pa.table({"key": ["1"], "value": ["secret"]}, schema=which.arrow)
        assert violations(rows, which)["reason"].to_list() == ["value: does not match y"]
