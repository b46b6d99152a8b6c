"""The road of one lookup, with a reader that keeps its rows in a dictionary."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations import KeyInvalid, LookupAnswer, TooManyKeys, lookup
from kernel import (
    AgreementId,
    Call,
    Caller,
    Channel,
    Grant,
    Limits,
    Operation,
    OrganisationId,
    ServiceName,
    SnapshotId,
    SystemId,
    Window,
    new_trace_id,
)
from replica import LookupReader, SnapshotInfo
from schemas import SHIPPED, ColumnsNotCovered, ColumnUnknown, load_registers

REGISTERS = load_registers(SHIPPED)
PERSONS = next(dataset for dataset in REGISTERS.datasets if dataset.id == "cpr.persons")
TODAY = date(2031, 2, 10)
NOW = datetime(2031, 2, 10, 12, tzinfo=UTC)

ANNA, BENT, CARL, NOBODY = "6101701001", "6101701002", "6101701003", "6101709999"
ROWS: dict[str, dict[str, Any]] = {
    ANNA: {"status": "01", "municipality_code": "0851", "name": {"surname": "Prøve"}, "protections": []},
    BENT: {
        "status": "01",
        "municipality_code": "0851",
        "name": {"surname": "Hemmelig"},
        "protections": [{"type": "0001", "from_date": date(2031, 1, 1), "to_date": date(2031, 3, 1)}],
    },
    CARL: {"status": "90", "municipality_code": "0461", "name": {"surname": "Prøve"}, "protections": None},
}


class Shelf:
    """Stands in for a LookupReader; remembers which columns it was asked for."""

    def __init__(self) -> None:
        self.columns: tuple[str, ...] | None = ()

    def get_many(
        self, keys: Sequence[str], columns: tuple[str, ...] | None
    ) -> tuple[dict[str, dict[str, Any]], SnapshotInfo]:
        self.columns = columns
        info = SnapshotInfo(dataset=PERSONS.id, snapshot=SnapshotId(7), published=NOW, as_of=NOW, rows=3)
        wanted = PERSONS.names if columns is None else columns
        return {
            key: {name: key if name == "pnr" else ROWS[key].get(name) for name in wanted} for key in keys if key in ROWS
        }, info


def a_grant(
    columns: set[str] | None = None,
    rows: Mapping[str, frozenset[str]] | None = None,
    *,
    protected: bool = False,
    keys: int = 5,
) -> Grant:
    return Grant(
        agreement=AgreementId("a"), system=SystemId("s"), municipality=OrganisationId("m"), municipality_cvr="29189420",
        service=ServiceName("cpr-persons"), valid=Window(NOW), terms_hash="0" * 64,
        columns=None if columns is None else frozenset(columns), rows=rows or {}, protected=protected,
        limits=Limits(keys_per_call=keys),
    )  # fmt: skip


def ask(
    keys: Sequence[str],
    grant: Grant,
    columns: tuple[str, ...] | None = None,
    *,
    today: date = TODAY,
    shelf: Shelf | None = None,
) -> LookupAnswer:
    caller = Caller(system=SystemId("s"), name="s", organisation_cvr="30808460", credential="0" * 64)
    call = Call(
        trace=new_trace_id(), caller=caller, channel=Channel.REST, service=ServiceName("cpr-persons"),
        operation=Operation.LOOKUP, received=NOW, columns=columns,
    )  # fmt: skip
    return lookup(call, keys, grant, PERSONS, cast(LookupReader, shelf or Shelf()), today)


def columns_read(asked: tuple[str, ...] | None) -> tuple[str, ...] | None:
    shelf = Shelf()
    ask([ANNA], a_grant(), asked, shelf=shelf)
    return shelf.columns


class TestWhatIsFound:
    def test_each_key_is_found_or_missing_in_the_order_asked(self) -> None:
        answer = ask([CARL, NOBODY, ANNA, NOBODY], a_grant())
        assert list(answer.found) == [CARL, ANNA]
        assert answer.missing == (NOBODY,)
        assert answer.info.snapshot == 7

    def test_a_key_asked_for_twice_is_answered_once(self) -> None:
        answer = ask([ANNA, ANNA], a_grant())
        assert list(answer.found) == [ANNA]
        assert answer.missing == ()

    def test_a_row_outside_the_agreement_is_as_missing_as_one_that_is_not_there(self) -> None:
        answer = ask([ANNA, CARL, NOBODY], a_grant(rows={"municipality_code": frozenset({"0851"})}))
        assert list(answer.found) == [ANNA]
        assert answer.missing == (CARL, NOBODY)

    def test_the_column_that_decides_the_scope_is_not_shown_unless_it_is_asked_for(self) -> None:
        answer = ask([ANNA], a_grant(rows={"municipality_code": frozenset({"0851"})}), ("status",))
        assert answer.found[ANNA] == {"status": "01"}

    def test_an_agreement_on_a_column_that_is_not_there_shows_nothing(self) -> None:
        assert ask([ANNA], a_grant(rows={"no_such": frozenset({"1"})})).missing == (ANNA,)


class TestColumns:
    def test_without_a_choice_all_that_the_agreement_covers_is_shown(self) -> None:
        assert set(ask([ANNA], a_grant()).found[ANNA]) == set(PERSONS.names)
        assert ask([ANNA], a_grant({"pnr", "status"})).found[ANNA] == {"pnr": ANNA, "status": "01"}

    def test_the_reader_is_asked_for_what_is_needed_and_no_more(self) -> None:
        assert columns_read(("status",)) == ("status",)
        assert columns_read(("name",)) == ("protections", "name")
        assert columns_read(None) is None

    def test_columns_stand_in_the_order_of_the_dataset(self) -> None:
        assert list(ask([ANNA], a_grant(), ("name", "status", "pnr")).found[ANNA]) == ["pnr", "status", "name"]

    def test_an_unknown_column_is_named(self) -> None:
        with pytest.raises(ColumnUnknown, match="shoe_size"):
            ask([ANNA], a_grant(), ("shoe_size",))

    def test_a_personal_number_in_place_of_a_column_is_not_repeated(self) -> None:
        with pytest.raises(ColumnUnknown) as caught:
            ask([ANNA], a_grant(), (NOBODY,))
        assert NOBODY not in f"{caught.value.message} {caught.value.remedy}"

    def test_a_column_that_the_agreement_leaves_out_is_refused_with_whose_rule_it_is(self) -> None:
        with pytest.raises(ColumnsNotCovered, match="name") as caught:
            ask([ANNA], a_grant({"pnr"}), ("pnr", "name"))
        assert caught.value.rule == "agreement.columns"
        assert caught.value.owner == "municipality 29189420"


class TestProtection:
    def test_protected_columns_become_null_and_are_named(self) -> None:
        answer = ask([ANNA, BENT], a_grant(), ("pnr", "name"))
        assert answer.found[BENT] == {"pnr": BENT, "name": None}
        assert answer.found[ANNA]["name"] == {"surname": "Prøve"}
        assert answer.withheld == {BENT: ("name",)}

    def test_every_protected_column_is_withheld_when_all_are_shown(self) -> None:
        answer = ask([BENT], a_grant())
        assert answer.withheld[BENT] == PERSONS.protected_columns
        assert all(answer.found[BENT][name] is None for name in PERSONS.protected_columns)

    def test_an_agreement_may_let_them_out(self) -> None:
        answer = ask([BENT], a_grant(protected=True), ("name",))
        assert answer.found[BENT] == {"name": {"surname": "Hemmelig"}}
        assert answer.withheld == {}

    @pytest.mark.parametrize(
        ("today", "hidden"),
        [(date(2030, 12, 31), False), (date(2031, 1, 1), True), (date(2031, 2, 28), True), (date(2031, 3, 1), False)],
    )
    def test_protection_runs_from_its_first_day_to_the_day_before_its_last(self, today: date, hidden: bool) -> None:
        assert bool(ask([BENT], a_grant(), ("name",), today=today).withheld) is hidden


class TestKeys:
    def test_more_keys_than_the_agreement_allows_are_refused_with_the_limit(self) -> None:
        with pytest.raises(TooManyKeys, match="the agreement allows 2"):
            ask([ANNA, BENT, CARL], a_grant(keys=2))

    @pytest.mark.parametrize("key", ["", "610170100", "61017010011", "610170-1001", " 6101701001", "６101701001"])
    def test_a_key_of_another_shape_is_refused_and_not_repeated(self, key: str) -> None:
        with pytest.raises(KeyInvalid, match="key 2 of 2") as caught:
            ask([ANNA, key], a_grant())
        assert not key or key not in caught.value.message

    @given(st.text(max_size=30))
    def test_any_text_is_found_missing_or_refused(self, key: str) -> None:
        if len(key) == 10 and key.isascii() and key.isdigit():
            assert (key in ask([key], a_grant()).found) is (key in ROWS)
            return
        with pytest.raises(KeyInvalid) as caught:
            ask([key], a_grant())
        assert len(key) < 4 or key not in f"{caught.value.message}{caught.value.remedy}"


@given(
    st.lists(st.sampled_from([ANNA, BENT, CARL, NOBODY]), min_size=1, max_size=5),
    st.none() | st.sets(st.sampled_from(PERSONS.names), min_size=1),
    st.none() | st.sets(st.sampled_from(PERSONS.names), min_size=1),
    st.sets(st.sampled_from(["0851", "0461"])),
    st.booleans(),
)
def test_nothing_is_ever_shown_that_the_agreement_does_not_cover(
    keys: list[str], covered: set[str] | None, asked: set[str] | None, municipalities: set[str], protected: bool
) -> None:
    rows = {"municipality_code": frozenset(municipalities)} if municipalities else {}
    grant = a_grant(covered, rows, protected=protected)
    try:
        answer = ask(keys, grant, None if asked is None else tuple(asked))
    except ColumnsNotCovered:
        assert covered is not None
        assert asked is not None
        assert asked - covered
        return
    for key, row in answer.found.items():
        assert covered is None or set(row) <= covered
        assert asked is None or set(row) == asked
        assert not municipalities or ROWS[key]["municipality_code"] in municipalities
        if key == BENT and not protected:
            assert row.get("name") is None
    assert set(answer.found) | set(answer.missing) == set(keys)
    assert not set(answer.found) & set(answer.missing)
