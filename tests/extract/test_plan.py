"""What an extract is: a value that decides everything that its bytes depend on."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from extract import ExtractRequest, Format, plan_extract
from kernel import Grant, SnapshotId
from schemas import Classification, ColumnsNotCovered, ColumnUnknown, ProtectionRule
from tests.extract.builders import CVR, FORMATS, RESIDENTS, TODAY, grant, info, plan

columns = st.none() | st.sets(st.sampled_from(RESIDENTS.names), min_size=1).map(" ".join)
rows = st.dictionaries(
    st.sampled_from(["municipality", "name"]),
    st.frozensets(st.sampled_from(["0101", "0102", "a,b", '"', ""]), min_size=1),
    max_size=2,
)
rights = st.tuples(columns, rows, st.booleans())


def granted(right: tuple[str | None, dict[str, frozenset[str]], bool], agreement: str) -> Grant:
    return grant(right[0], right[1], protected=right[2], agreement=agreement, cvr=agreement.rjust(8, "0"))


class TestPlanExtract:
    def test_gives_every_column_that_the_agreement_covers_in_the_datasets_order(self) -> None:
        assert plan(grant("born number")).columns == ("number", "born")

    def test_gives_the_columns_that_are_asked_for(self) -> None:
        assert plan(grant(), columns="born number born").columns == ("number", "born")

    def test_refuses_columns_that_the_agreement_does_not_cover_and_names_them(self) -> None:
        with pytest.raises(ColumnsNotCovered, match="income, name") as refusal:
            plan(grant("number"), columns="number name income")
        assert refusal.value.code == "columns_not_covered"
        assert refusal.value.owner == f"municipality {CVR}"

    def test_refuses_a_column_that_nobody_has(self) -> None:
        with pytest.raises(ColumnUnknown, match="shoe_size"):
            plan(columns="number shoe_size")

    def test_refuses_an_agreement_that_covers_nothing_of_the_dataset(self) -> None:
        with pytest.raises(ColumnsNotCovered):
            plan(grant("something_of_another_register"))

    def test_judges_protection_on_the_day_where_the_agreement_does_not_lift_it(self) -> None:
        assert plan(grant()).hide_protected_on == TODAY
        assert not plan(grant()).protected

    def test_hides_nothing_where_the_agreement_lifts_it(self) -> None:
        assert plan(grant(protected=True)).hide_protected_on is None
        assert plan(grant(protected=True)).protected

    def test_hides_from_everybody_where_no_rule_says_who_is_protected(self) -> None:
        ruleless = replace(RESIDENTS, protection=None)
        found = plan_extract(ExtractRequest(), grant("number name"), ruleless, info(), TODAY)
        assert found.hide_protected_on == TODAY

    def test_has_nothing_to_hide_where_no_protected_column_is_asked_for(self) -> None:
        assert plan(grant(), columns="number born") == plan(grant(protected=True), columns="number born")

    def test_is_the_same_tomorrow_where_nothing_is_hidden(self) -> None:
        tomorrow = date(2031, 3, 11)
        assert plan(columns="number", today=tomorrow).id == plan(columns="number").id
        assert plan(today=tomorrow).id != plan().id

    def test_explains_itself(self) -> None:
        given = grant("number name", {"municipality": frozenset({"0101", "0102"})})
        assert plan(given).explain() == (
            "2 columns of town.residents at snapshot 7, as csv",
            "rows where municipality is one of 2 values",
            "name and address withheld for persons protected on 2031-03-10",
        )

    def test_tells_types_apart_that_differ_deep_down(self) -> None:
        deep = RESIDENTS.column("protections")
        assert deep.item is not None
        other = replace(deep, item=replace(deep.item, fields=deep.item.fields[:-1]))
        changed = replace(RESIDENTS, columns=(*RESIDENTS.columns[:-1], other))
        request = ExtractRequest()
        assert plan_extract(request, grant(), changed, info(), TODAY).id != plan().id

    @pytest.mark.parametrize("changed", ["column", "rule"])
    def test_is_another_when_more_is_withheld_under_the_same_version(self, changed: str) -> None:
        hidden = [
            replace(each, classification=Classification.PROTECTED) if each.name == "municipality" else each
            for each in RESIDENTS.columns
        ]
        stricter = {
            "column": replace(RESIDENTS, columns=tuple(hidden)),
            "rule": replace(RESIDENTS, protection=ProtectionRule(types=frozenset({"0001", "0002"}))),
        }[changed]
        now = plan_extract(ExtractRequest(), grant(), stricter, info(), TODAY)
        assert now.id != plan().id
        assert now.view != plan().view
        lifted = plan_extract(ExtractRequest(), grant(protected=True), stricter, info(), TODAY)
        assert lifted.id == plan(grant(protected=True)).id

    @given(rights, st.sampled_from(FORMATS))
    def test_equal_rights_share_one_file(
        self, right: tuple[str | None, dict[str, frozenset[str]], bool], kind: Format
    ) -> None:
        ours, theirs = plan(granted(right, "1"), kind), plan(granted(right, "2"), kind)
        assert ours == theirs
        assert ours.file_name == theirs.file_name

    @given(rights, rights)
    def test_different_rights_never_share_a_file(
        self,
        one: tuple[str | None, dict[str, frozenset[str]], bool],
        other: tuple[str | None, dict[str, frozenset[str]], bool],
    ) -> None:
        first, second = plan(granted(one, "1")), plan(granted(other, "1"))
        shows = [(p.columns, p.scope, p.hide_protected_on, p.protected) for p in (first, second)]
        assert (first.id == second.id) == (shows[0] == shows[1])
        assert (first.file_name == second.file_name) == (first.id == second.id)

    def test_each_thing_that_changes_the_bytes_changes_the_name(self) -> None:
        made = plan()
        others = [
            plan(kind=Format.PARQUET),
            plan(info=info(snapshot=8)),
            plan(columns="number"),
            plan(grant(rows={"municipality": frozenset({"0101"})})),
            plan(grant(protected=True)),
            replace(made, contract_version="2.0.0"),
            replace(made, schema_hash="f" * 64),
            replace(made, snapshot=SnapshotId(9)),
        ]
        assert len({each.file_name for each in [made, *others]}) == 1 + len(others)

    def test_the_name_holds_no_value_of_any_row(self) -> None:
        made = plan(grant(rows={"municipality": frozenset({"0101"})}))
        assert made.file_name == f"residents-extract_00000007_full_{made.id[:16]}.csv"

    def test_the_id_is_a_sha256(self) -> None:
        assert len(bytes.fromhex(plan().id)) == 32
        assert json.dumps(plan().id).isascii()
