"""A new version of a service: when it needs a new request, and when the agreement goes on as it is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control import ServiceTerms
from control.agreements.versions import widened
from kernel import DatasetId
from schemas import SHIPPED, Classification, Dataset, load_registers

REGISTERS = load_registers(SHIPPED)
PERSONS: Dataset = REGISTERS.dataset(DatasetId("cpr.persons"))
ALL = ServiceTerms(columns=frozenset(PERSONS.names))
SOME = ServiceTerms(columns=frozenset({"pnr", "status"}), rows={"municipality_code": frozenset({"0851"})})


def without(*names: str) -> Dataset:
    return replace(PERSONS, columns=tuple(each for each in PERSONS.columns if each.name not in names))


def classified(name: str, grade: Classification) -> Dataset:
    columns = (replace(each, classification=grade) if each.name == name else each for each in PERSONS.columns)
    return replace(PERSONS, columns=tuple(columns))


class TestWhatNeedsNone:
    @pytest.mark.parametrize("terms", [ALL, SOME, ServiceTerms()], ids=["all", "some", "unsettled"])
    def test_the_same_and_what_is_taken_away_or_withheld(self, terms: ServiceTerms) -> None:
        for after in (PERSONS, without("status", "gender"), classified("gender", Classification.PROTECTED)):
            assert widened(terms, PERSONS, after) == ()
        assert widened(terms, None, None) == ()

    def test_a_new_column_for_one_who_chose_columns(self) -> None:
        assert widened(SOME, without("gender"), PERSONS) == ()

    def test_what_is_no_longer_withheld_for_one_who_saw_it_before(self) -> None:
        after = classified("name", Classification.PERSONAL)
        assert widened(replace(ALL, protected=True), PERSONS, after) == ()
        assert widened(SOME, PERSONS, after) == ()


class TestWhatNeedsOne:
    def test_a_new_column_for_one_who_has_them_all(self) -> None:
        before = without("gender", "status")
        terms = ServiceTerms(columns=frozenset(before.names))
        assert widened(terms, before, PERSONS) == ("the new column status", "the new column gender")

    def test_what_is_no_longer_withheld(self) -> None:
        assert widened(ALL, PERSONS, classified("name", Classification.PERSONAL)) == ("name of protected persons",)

    def test_fewer_kinds_of_protection(self) -> None:
        assert PERSONS.protection is not None
        fewer = replace(PERSONS, protection=replace(PERSONS.protection, types=frozenset()))
        assert "address of protected persons" in widened(ALL, PERSONS, fewer)

    def test_a_column_that_limited_the_rows_is_gone(self) -> None:
        assert widened(SOME, PERSONS, without("municipality_code")) == ("rows that municipality_code no longer limits",)

    def test_another_dataset_and_another_way_to_search(self) -> None:
        assert widened(ALL, PERSONS, None) == ("another dataset",)
        found = widened(ALL, PERSONS, PERSONS, searched_before=["status"], searched_after=["status", "birth_date"])
        assert found == ("searching by birth_date",)


NAMES = st.sets(st.sampled_from(PERSONS.names), min_size=1)


@given(NAMES, NAMES, NAMES)
def test_it_is_silent_exactly_when_nothing_more_is_shown(covered: set[str], old: set[str], new: set[str]) -> None:
    before, after = (without(*(set(PERSONS.names) - names)) for names in (old, new))
    terms = ServiceTerms(columns=frozenset(covered & old) or frozenset(old))
    assert terms.columns is not None
    shown = {f"the new column {name}" for name in new - old} if terms.columns >= old else set()
    assert set(widened(terms, before, after)) == shown
