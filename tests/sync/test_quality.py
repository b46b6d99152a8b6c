"""The contract's rules on whole columns."""

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import DatasetId
from replica import DatasetNotReady
from schemas import (
    CheckDigit,
    Column,
    Condition,
    Dataset,
    Duplicated,
    ForeignKey,
    Invalid,
    Kind,
    Limit,
    Missing,
    RowCount,
    Rule,
    Severity,
)
from schemas.cpr_number import check_digit, has_check_digit
from schemas.grammar import read_expression
from schemas.rule import Test
from sync import quality
from sync.errors import QualityRefused, ReferenceNotReady
from sync.quality import Judgement, violations


def nothing_known(dataset: DatasetId, column: str, values: pa.Array) -> pa.Array:
    return values.slice(0, 0)


def dataset(**rules: object) -> Dataset:
    key = Column(name="key", kind=Kind.TEXT, required=True, unique=True)
    kind = Kind.INTEGER if {"minimum", "maximum"} & rules.keys() else Kind.TEXT
    value = Column(name="value", kind=kind, **rules)  # type: ignore[arg-type]
    return Dataset(register="r", name="d", columns=(key, value), key="key")


def broken(values: list[object], **rules: object) -> list[tuple[str, str]]:
    which = dataset(**rules)
    rows = pa.table({"key": [str(place) for place in range(len(values))], "value": values}, schema=which.arrow)
    return [(key, rule) for key, rule, _ in violations(rows, which, nothing_known).held.rows()]


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
        assert violations(rows, which, nothing_known).held["reason"].to_list() == ["value: does not match y"]


PLACE = Column(
    name="place",
    kind=Kind.OBJECT,
    fields=(
        Column(name="code", kind=Kind.TEXT, required=True, pattern="[0-9]{4}"),
        Column(name="names", kind=Kind.ARRAY, item=Column(name="item", kind=Kind.TEXT, pattern="[A-Z].*")),
    ),
)
PARENTS = Column(
    name="parents",
    kind=Kind.ARRAY,
    item=Column(name="item", kind=Kind.OBJECT, fields=(Column(name="id", kind=Kind.TEXT, required=True),)),
)
ROWS = Dataset(
    register="r",
    name="d",
    columns=(
        Column(name="key", kind=Kind.TEXT, required=True, unique=True),
        Column(name="text", kind=Kind.TEXT),
        Column(name="other", kind=Kind.TEXT),
        Column(name="number", kind=Kind.INTEGER),
        PLACE,
        PARENTS,
    ),
    key="key",
)


def rule(test: Test, severity: Severity = Severity.ERROR, limit: Limit | None = None) -> Rule:
    return Rule(name="rule", test=test, reason="wrong", severity=severity, limit=limit)


def condition(sql: str) -> Condition:
    return Condition(broken=read_expression(sql, ROWS.columns)[0])


def judged(
    *rules: Rule, known: quality.Known = nothing_known, whole: bool = True, **columns: Sequence[object]
) -> Judgement:
    height = max((len(values) for values in columns.values()), default=0)
    data = {name: list(columns.get(name, [None] * height)) for name in ROWS.names}
    if "key" not in columns:
        data["key"] = [str(place) for place in range(height)]
    dataset = replace(ROWS, rules=rules)
    return violations(pa.table(data, schema=dataset.arrow), dataset, known, whole=whole)


def held(judgement: Judgement) -> list[str]:
    return judgement.held["key"].to_list()


class TestFieldsWithinAColumn:
    def test_are_judged_and_named_by_their_path(self) -> None:
        found = judged(place=[{"code": "12", "names": []}, {"code": "0101", "names": ["Aa", "b"]}, None]).held
        assert found.rows() == [
            ("0", "pattern", "place.code: does not match [0-9]{4}"),
            ("1", "pattern", "place.names: does not match [A-Z].*"),
        ]

    def test_are_not_missing_where_their_object_is(self) -> None:
        assert held(judged(place=[None, {"code": None, "names": None}])) == ["1"]
        assert held(judged(parents=[None, [], [None], [{"id": "1"}, {"id": None}]])) == ["3"]


class TestACondition:
    def test_holds_back_rows_for_which_it_is_true(self) -> None:
        wrong = rule(condition("number > 5 AND text = 'x'"))
        assert held(judged(wrong, number=[1, 6, 6, None], text=["x", "x", "y", "x"])) == ["1"]

    def test_of_the_kind_warning_is_told_and_holds_nothing_back(self) -> None:
        found = judged(rule(condition("number > 5"), Severity.WARNING), number=[1, 6, 7])
        assert (held(found), found.warnings) == ([], ("wrong: 2 of 3 rows",))


class TestALibraryMetric:
    def test_counts_what_is_missing(self) -> None:
        nothing = rule(Missing(column="text", texts=frozenset({"", "N/A"})))
        assert held(judged(nothing, text=["a", None, "", "N/A"])) == [
            "1", "2", "3",
        ]  # fmt: skip

    def test_counts_what_is_invalid(self) -> None:
        assert held(judged(rule(Invalid(column="text", pattern="a+")), text=["aa", None, "ab"])) == ["2"]
        assert held(judged(rule(Invalid(column="text", allowed=frozenset("a"))), text=["a", None, "b"])) == ["2"]

    def test_counts_what_stands_twice_over_several_columns(self) -> None:
        twice = rule(Duplicated(columns=("text", "other")))
        assert held(judged(twice, text=["a", "a", "a", None, None], other=["1", "1", "2", "1", "1"])) == ["0", "1"]

    def test_with_a_limit_refuses_the_whole_delivery(self) -> None:
        few = rule(Missing(column="text"), limit=Limit(operator="mustBeLessThan", values=(50,), percent=True))
        assert held(judged(few, text=["a", "b", None])) == []
        refusal = judged(few, text=["a", None, None]).refusal
        assert isinstance(refusal, QualityRefused)
        assert refusal.message == "wrong: 2 of 3 rows; it must be less than 50 percent"

    def test_counts_the_rows_of_a_whole_dataset_only(self) -> None:
        two = rule(RowCount(), limit=Limit(operator="mustBeBetween", values=(2, 3)))
        assert judged(two, key=["1", "2"]).refusal is None
        assert judged(two, key=["1"], whole=False).refusal is None
        assert judged(two, key=["1"]).refusal is not None
        softly = judged(replace(two, severity=Severity.WARNING), key=["1"])
        assert softly.warnings == ("wrong: 1 of 1 rows; it must be between 2 and 3 rows",)

    @pytest.mark.parametrize(
        ("operator", "values", "right", "wrong"),
        [
            ("mustBe", (2,), [2], [1, 3]),
            ("mustNotBe", (2,), [1, 3], [2]),
            ("mustBeGreaterThan", (2,), [3], [2]),
            ("mustBeGreaterOrEqualTo", (2,), [2, 3], [1]),
            ("mustBeLessThan", (2,), [1], [2]),
            ("mustBeLessOrEqualTo", (2,), [2], [3]),
            ("mustBeBetween", (2, 4), [2, 4], [1, 5]),
            ("mustNotBeBetween", (2, 4), [1, 5], [2, 3, 4]),
        ],
    )
    def test_has_the_operators_of_the_standard(
        self, operator: str, values: tuple[float, ...], right: list[int], wrong: list[int]
    ) -> None:
        limit = Limit(operator=operator, values=values)
        assert all(limit.holds(each, 10) for each in right)
        assert not any(limit.holds(each, 10) for each in wrong)


class TestACheckDigit:
    def test_of_a_company(self) -> None:
        cvr = rule(CheckDigit(path=("text",), scheme="cvr"))
        numbers = ["29189846", "12345678", "11111111", None, "2918984", "+2918984"]
        assert held(judged(cvr, text=numbers)) == ["1", "2", "4", "5"]

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.from_regex(r"[0-9]{9}", fullmatch=True), min_size=1, max_size=20))
    def test_of_a_person_is_the_registers_own(self, nines: list[str]) -> None:
        cpr = rule(CheckDigit(path=("text",), scheme="cpr"))
        right = [nine + str(digit) for nine in nines if (digit := check_digit(nine)) is not None]
        assert held(judged(cpr, text=right)) == []
        any_digit = [nine + "5" for nine in nines]
        expected = [str(place) for place, number in enumerate(any_digit) if not has_check_digit(number)]
        assert held(judged(cpr, text=any_digit)) == expected


class TestAKeyIntoAnotherDataset:
    KEY = ForeignKey(path=("text",), dataset=DatasetId("other.places"), column="code")

    @staticmethod
    def known(*there: str) -> quality.Known:
        def ask(dataset: DatasetId, column: str, values: pa.Array) -> pa.Array:
            assert (dataset, column) == ("other.places", "code")
            return pa.array([value for value in values.to_pylist() if value in there], values.type)

        return ask

    def test_holds_back_rows_that_lead_nowhere(self) -> None:
        assert held(judged(rule(self.KEY), known=self.known("a", "b"), text=["a", "x", None, "b", "x"])) == ["1", "4"]

    def test_asks_for_each_value_once(self) -> None:
        asked: list[int] = []

        def ask(dataset: DatasetId, column: str, values: pa.Array) -> pa.Array:
            asked.append(len(values))
            return values

        judged(rule(self.KEY), known=ask, text=["a", "a", None, "b"])
        assert asked == [2]

    def test_may_stand_in_an_array_of_objects(self) -> None:
        parents = rule(replace(self.KEY, path=("parents", "id")))
        rows = [[{"id": "a"}], [{"id": "a"}, {"id": "x"}], None, []]
        assert held(judged(parents, known=self.known("a"), parents=rows)) == ["1"]

    def test_into_a_dataset_that_was_never_mirrored_refuses_the_delivery(self) -> None:
        def ask(dataset: DatasetId, column: str, values: pa.Array) -> pa.Array:
            raise DatasetNotReady("nothing there")

        with pytest.raises(ReferenceNotReady, match=r"other\.places"):
            judged(rule(self.KEY), known=ask, text=["a"])

    def test_into_its_own_dataset_finds_rows_of_the_delivery_that_are_not_held_back(self) -> None:
        own = rule(ForeignKey(path=("text",), dataset=DatasetId("r.d"), column="key"))
        # 3 leads to 2, 2 to 1, and 1 nowhere: all three fall; 4 leads to a row of the mirror, 5 to itself.
        found = judged(
            own,
            known=lambda _, __, values: pa.array([each for each in values.to_pylist() if each == "m"], values.type),
            key=["1", "2", "3", "4", "5"],
            text=["gone", "1", "2", "m", "5"],
        )
        assert held(found) == ["1", "2", "3"]

    def test_of_the_kind_warning_is_counted(self) -> None:
        found = judged(rule(self.KEY, Severity.WARNING), known=self.known("a"), text=["a", "x"])
        assert (held(found), found.warnings) == ([], ("wrong: 1 of 2 rows",))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", None]), st.integers(0, 9) | st.none()), max_size=40),
    st.integers(1, 7),
)
def test_slices_make_no_difference(rows: list[tuple[str | None, int | None]], height: int) -> None:
    rules = (
        rule(condition("number > 6")),
        rule(Missing(column="text"), Severity.WARNING),
        rule(ForeignKey(path=("text",), dataset=DatasetId("o.p"), column="c")),
    )
    texts, numbers = [text for text, _ in rows], [number for _, number in rows]
    once = judged(*rules, text=texts, number=numbers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quality, "SLICE_ROWS", height)
        again = judged(*rules, text=texts, number=numbers)
    assert again.held.equals(once.held)
    assert again.warnings == once.warnings
    expected = [str(place) for place, (text, number) in enumerate(rows) if text is not None or (number or 0) > 6]
    assert held(once) == expected
