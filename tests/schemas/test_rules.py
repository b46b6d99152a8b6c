"""Rules and derived columns of a contract: read, or pointed at with a remedy."""

from pathlib import Path
from typing import Any

import pytest

from kernel import DatasetId
from schemas import (
    CheckDigit,
    Condition,
    Dataset,
    Duplicated,
    ForeignKey,
    FromDataset,
    FromList,
    Limit,
    Missing,
    RowCount,
    Rule,
    Severity,
    load_registers,
)
from schemas.derivation import Computed
from tests.schemas.builders import a_contract, custom, errors, warnings, write

TEXT = {"name": "extra", "logicalType": "string"}


def read(tmp_path: Path, *more: dict[str, Any], **dataset: Any) -> Dataset:
    return load_registers(write(tmp_path / "ships", contract=a_contract(*more, **dataset))).datasets[0]


def only_rule(tmp_path: Path, *more: dict[str, Any], **dataset: Any) -> Rule:
    (found,) = read(tmp_path, *more, **dataset).rules
    return found


def fault(tmp_path: Path, *more: dict[str, Any], **dataset: Any) -> tuple[str, str]:
    """(where, what) of the one error."""
    (found,) = errors(write(tmp_path / "ships", contract=a_contract(*more, **dataset)))
    return found.where, found.problem


class TestQuality:
    def test_of_a_column_may_count_what_is_missing(self, tmp_path: Path) -> None:
        found = only_rule(tmp_path, TEXT | {"quality": [{"metric": "nullValues", "mustBe": 0, "severity": "warning"}]})
        assert (found.test, found.severity, found.limit) == (Missing(column="extra"), Severity.WARNING, None)

    def test_with_another_operator_is_a_limit_on_the_delivery(self, tmp_path: Path) -> None:
        quality = {"metric": "missingValues", "arguments": {"missingValues": [None, "-"]}, "mustBeLessThan": 5}
        found = only_rule(tmp_path, TEXT | {"quality": [quality | {"unit": "percent"}]})
        assert found.test == Missing(column="extra", texts=frozenset("-"))
        assert found.limit == Limit(operator="mustBeLessThan", values=(5,), percent=True)

    def test_of_a_dataset_may_count_rows_and_what_stands_twice(self, tmp_path: Path) -> None:
        twice = {"metric": "duplicateValues", "mustBe": 0, "arguments": {"properties": ["tonnage", "extra"]}}
        count, columns = read(
            tmp_path, TEXT, quality=[{"metric": "rowCount", "mustBeBetween": [1, 9]}, twice]
        ).rules  # fmt: skip
        assert (count.test, count.limit) == (RowCount(), Limit(operator="mustBeBetween", values=(1, 9)))
        assert columns.test == Duplicated(columns=("tonnage", "extra"))

    @pytest.mark.parametrize("name", ["{object}", "${object}"])
    def test_may_be_sql_that_counts_rows_that_are_wrong(self, tmp_path: Path, name: str) -> None:
        query = f"SELECT COUNT(*) FROM {name} WHERE tonnage < 1 OR imo = 'x'"
        found = only_rule(tmp_path, quality=[{"type": "sql", "query": query, "mustBe": 0, "description": "Too light"}])
        assert isinstance(found.test, Condition)
        assert found.test.broken.columns == {"tonnage", "imo"}
        assert found.reason == "Too light"

    def test_of_a_column_in_sql_may_name_it_by_placeholder(self, tmp_path: Path) -> None:
        query = "SELECT count(*) FROM {object} WHERE {property} = ''"
        found = only_rule(tmp_path, TEXT | {"quality": [{"type": "sql", "query": query, "mustBeLessThan": 3}]})
        assert isinstance(found.test, Condition)
        assert found.test.broken.columns == {"extra"}

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT 1",
            "SELECT count(*) FROM {object}",
            "SELECT sum(tonnage) FROM {object} WHERE tonnage > 1",
            "SELECT count(tonnage) FROM {object} WHERE tonnage > 1",
            "SELECT count(*), 1 FROM {object} WHERE tonnage > 1",
            "SELECT count(*) FROM elsewhere WHERE tonnage > 1",
            "SELECT count(*) FROM {object} JOIN x ON true WHERE tonnage > 1",
            "SELECT count(*) FROM {object}, x WHERE tonnage > 1",
            "SELECT count(*) FROM lake.{object} WHERE tonnage > 1",
            "SELECT count(*) FROM {object} WHERE tonnage > 1 GROUP BY tonnage",
            "SELECT count(*) FROM {object} WHERE tonnage > 1 LIMIT 1",
            "SELECT count(*) FROM {object} WHERE tonnage > (SELECT 1)",
            "SELECT count(*) FROM {object} WHERE read_text('x') = ''",
            "SELECT count(*) FROM {object} WHERE tonnage",
            "WITH x AS (SELECT 1) SELECT count(*) FROM {object} WHERE tonnage > 1",
            "SELECT count(*) FROM {object} WHERE tonnage > 1; DROP TABLE x",
            "DELETE FROM {object} WHERE tonnage > 1",
            "",
        ],
    )
    def test_in_sql_of_another_form_is_refused(self, tmp_path: Path, query: str) -> None:
        where, _ = fault(tmp_path, quality=[{"type": "sql", "query": query, "mustBe": 0}])
        assert where == "schema[0].quality[0].query"

    def test_may_ask_for_a_check_digit(self, tmp_path: Path) -> None:
        rule = {"type": "custom", "engine": "knudepunkt", "implementation": {"checkDigit": "cvr"}}
        assert only_rule(tmp_path, TEXT | {"quality": [rule]}).test == CheckDigit(path=("extra",), scheme="cvr")

    def test_never_holds_a_person_back_for_a_check_digit(self, tmp_path: Path) -> None:
        rule = {"type": "custom", "engine": "knudepunkt", "implementation": {"checkDigit": "cpr"}}
        assert fault(tmp_path, TEXT | {"quality": [rule]}) == (
            "schema[0].properties[2].quality[0].severity", "numbers without this check digit are valid since 2007",
        )  # fmt: skip
        warned = only_rule(tmp_path, TEXT | {"quality": [rule | {"severity": "warning"}]})
        assert warned.severity is Severity.WARNING

    @pytest.mark.parametrize(
        ("quality", "problem"),
        [
            ({"metric": "nullValue", "mustBe": 0}, "'nullValue' is not a metric here"),
            ({"metric": "rowCount", "mustBe": 0}, "'rowCount' is not a metric here"),
            ({"metric": "nullValues"}, "has 0 operators"),
            ({"metric": "nullValues", "mustBe": 0, "mustNotBe": 1}, "has 2 operators"),
            ({"metric": "nullValues", "mustBe": "few"}, "is not a number of 0 or more"),
            ({"metric": "nullValues", "mustBe": 0, "unit": "lines"}, "'lines' is not a unit"),
            ({"metric": "nullValues", "mustBe": 0, "severity": "fatal"}, "'fatal' is not a severity here"),
            ({"metric": "invalidValues", "mustBe": 1}, "has not one of validValues and pattern"),
            ({"metric": "invalidValues", "mustBe": 1, "arguments": {"validValues": [1]}}, "is not a list of texts"),
            (
                {"type": "custom", "engine": "knudepunkt", "implementation": {"checkDigit": "iban"}},
                "is not a rule of this house",
            ),
        ],
    )
    def test_that_cannot_be_meant_is_refused(self, tmp_path: Path, quality: dict[str, Any], problem: str) -> None:
        assert fault(tmp_path, TEXT | {"quality": [quality]})[1] == problem

    @pytest.mark.parametrize(
        "quality",
        [{"type": "text", "description": "good"}, {"type": "custom", "engine": "soda", "implementation": "x"}],
    )
    def test_of_others_is_left_as_documentation(self, tmp_path: Path, quality: dict[str, Any]) -> None:
        folder = write(tmp_path / "ships", contract=a_contract(TEXT | {"quality": [quality]}))
        assert [found.problem for found in warnings(folder)] == ["is not checked on rows"]


class TestAKey:
    @pytest.fixture
    def ports(self, tmp_path: Path) -> Path:
        contract = a_contract()
        contract["id"], contract["schema"][0]["name"] = "ports-contract", "ports"
        return write(tmp_path / "registers" / "ports", contract=contract)

    def keys(self, ports: Path, *more: dict[str, Any], **dataset: Any) -> list[str]:
        write(ports.parent / "ships", contract=a_contract(*more, **dataset))
        return [f"{found.where}: {found.problem}" for found in errors(ports.parent)]

    def test_leads_into_another_register(self, ports: Path) -> None:
        relation = {"type": "foreignKey", "to": "../ports/ports.odcs.yaml#ports.imo"}
        assert self.keys(ports, TEXT | {"relationships": [relation]}) == []
        (rule,) = load_registers(ports.parent).dataset(DatasetId("ships.ships")).rules
        assert rule.test == ForeignKey(path=("extra",), dataset=DatasetId("ports.ports"), column="imo")

    def test_may_stand_on_a_field_within_an_array(self, ports: Path) -> None:
        field = {"name": "port", "logicalType": "string", "relationships": [{"to": "ports.odcs.yaml#ports.imo"}]}
        calls = {"name": "calls", "logicalType": "array", "items": {"logicalType": "object", "properties": [field]}}
        assert self.keys(ports, calls) == []
        (rule,) = load_registers(ports.parent).dataset(DatasetId("ships.ships")).rules
        assert rule.test == ForeignKey(path=("calls", "port"), dataset=DatasetId("ports.ports"), column="imo")

    def test_may_stand_on_the_dataset_and_be_a_warning(self, ports: Path) -> None:
        relation = {"from": "ships.extra", "to": "ships.imo", "customProperties": custom(severity="warning")}
        assert self.keys(ports, TEXT, relationships=[relation]) == []
        (rule,) = load_registers(ports.parent).dataset(DatasetId("ships.ships")).rules
        assert rule.severity is Severity.WARNING

    @pytest.mark.parametrize(
        ("relation", "problem"),
        [
            ({"to": "boats.imo"}, "relationships[0].to: no contract promises 'ships.boats'"),
            ({"to": "harbours.odcs.yaml#x.y"}, "relationships[0].to: no contract promises 'harbours.x'"),
            ({"to": "ports.odcs.yaml#ports.name"}, "relationships[0].to: ports.ports has no column 'name'"),
            (
                {"to": "ports.odcs.yaml#ports.tonnage"},
                "relationships[0]: is string, and ports.ports.tonnage is integer",
            ),
            (
                {"to": "schema/a/properties/b"},
                "relationships[0].to: 'schema/a/properties/b' is not the place of a column",
            ),
            (
                {"from": "ships.extra", "to": "ships.imo"},
                "relationships[0].from: a property's relationship begins at the property",
            ),
            ({}, "relationships[0]: None is not the place of a column"),
        ],
    )  # fmt: skip
    def test_that_leads_nowhere_is_pointed_at(self, ports: Path, relation: dict[str, str], problem: str) -> None:
        assert self.keys(ports, TEXT | {"relationships": [relation]}) == [f"schema[0].properties[2].{problem}"]


class TestADerivedColumn:
    def test_is_computed(self, tmp_path: Path) -> None:
        found = read(tmp_path, TEXT | {"transformLogic": "CASE WHEN tonnage > 500 THEN 'big' ELSE 'small' END"})
        derived = found.column("extra").derived
        assert isinstance(derived, Computed)
        assert derived.expression.columns == {"tonnage"}

    def test_may_read_one_that_is_derived_before_it_but_not_after(self, tmp_path: Path) -> None:
        first = TEXT | {"transformLogic": "upper(imo)"}
        then = {"name": "then", "logicalType": "string", "transformLogic": "left(extra, 1)"}
        assert read(tmp_path, first, then).column("then").derived is not None
        assert fault(tmp_path, then, first)[0] == "schema[0].properties[2].transformLogic"

    def test_is_looked_up_in_a_file_beside_the_contract(self, tmp_path: Path) -> None:
        (tmp_path / "ships").mkdir()
        (tmp_path / "ships" / "flags.csv").write_text("code,text\nDK,Danmark\nAX,Åland\n", "utf-8")
        (tmp_path / "ships" / "flags.yaml").write_text("DK: Danmark\n'NO': Norge\n", "utf-8")
        for file, entries in {
            "flags.csv": (("AX", "Åland"), ("DK", "Danmark")),
            "flags.yaml": (("DK", "Danmark"), ("NO", "Norge")),
        }.items():
            listed = TEXT | {"customProperties": custom(codeList={"column": "imo", "file": file})}
            assert read(tmp_path, listed).column("extra").derived == FromList(column="imo", file=file, entries=entries)

    def test_is_looked_up_in_another_dataset(self, tmp_path: Path) -> None:
        value = {"column": "imo", "dataset": "ships.ships", "code": "imo", "text": "imo"}
        derived = read(tmp_path, TEXT | {"customProperties": custom(codeList=value)}).column("extra").derived
        assert derived == FromDataset(column="imo", dataset=DatasetId("ships.ships"), code="imo", text="imo")

    @pytest.mark.parametrize(
        ("prop", "problem"),
        [
            ({"transformLogic": "select x from t"}, "uses SELECT, which is not offered"),
            ({"transformLogic": "tonnage + 1"}, "gives integer, and the column is string"),
            ({"transformLogic": "upper(imo)", "primaryKey": True}, "a key is delivered, not derived"),
            ({"customProperties": custom(codeList={"column": "imo"})}, "is not a code list"),
            ({"customProperties": custom(codeList={"column": "x", "file": "x.csv"})},
             "is not a text column that is delivered or derived above"),
            ({"customProperties": custom(codeList={"column": "imo", "file": "../x.csv"})},
             "is not a file beside the contract"),
            ({"customProperties": custom(codeList={"column": "imo", "file": "x.csv"})},
             "x.csv cannot be used: No such file or directory"),
            ({"customProperties": custom(codeList={"column": "imo", "dataset": "x.y", "code": "a", "text": "b"})},
             "no contract promises 'x.y'"),
            ({"customProperties": custom(codeList={"column": "imo", "dataset": "ships.ships", "code": "imo",
                                                   "text": "tonnage"})}, "ships.ships has no text column 'tonnage'"),
        ],
    )  # fmt: skip
    def test_that_cannot_be_worked_out_is_pointed_at(self, tmp_path: Path, prop: dict[str, Any], problem: str) -> None:
        found = [each.problem for each in errors(write(tmp_path / "ships", contract=a_contract(TEXT | prop)))]
        assert problem in found

    def test_is_no_milder_than_what_it_tells_of(self, tmp_path: Path) -> None:
        secret = {"name": "secret", "logicalType": "string", "classification": "personal"}
        assert fault(tmp_path, secret, TEXT | {"transformLogic": "left(secret, 2)"}) == (
            "schema[0].properties[3].classification", "is public, and secret, which it tells of, is personal",
        )  # fmt: skip
