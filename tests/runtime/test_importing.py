"""Contracts that were written elsewhere become registers, or questions; nothing about them stops the house."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kernel import DatasetId
from runtime.checking import load_among
from runtime.cli import app
from runtime.importing import Imported, ImportRefused, fit, import_contract
from schemas import Classification, Dataset, ForeignKey, ForeignRefused, Kind, Severity, translate
from schemas.foreign import legal
from tests.sync.conftest import real_data

# The shape of documents that are written for warehouses: sections of their own, physical names and types, words for
# classification that this house lacks, logic of the source.
ORDERS: dict[str, Any] = {
    "apiVersion": "v3.0.2",
    "kind": "DataContract",
    "id": "orders-1",
    "name": "Orders",
    "version": "v2",
    "status": "active",
    "domain": "sales",
    "tenant": "shop",
    "servers": [{"server": "pg", "type": "postgres", "host": "db"}],
    "team": [{"username": "ann", "role": "Owner"}],
    "price": {"priceAmount": 1.5, "priceCurrency": "DKK"},
    "slaProperties": [{"property": "latency", "value": 4, "unit": "d"}],
    "customProperties": [{"property": "refRuleset", "value": "x"}],
    "schema": [
        {
            "id": "orders_obj",
            "name": "OrderLines",
            "physicalName": "t_ord",
            "physicalType": "table",
            "tags": ["a"],
            "properties": [
                {"id": "id_prop", "name": "id", "primaryKey": True, "logicalType": "integer", "physicalType": "bigint",
                 "logicalTypeOptions": {"minimum": 1}},
                {"id": "customer_prop", "name": "customerNo", "physicalType": "VARCHAR(36)",
                 "relationships": [{"to": "schema/customers_obj/properties/no_prop"}], "classification": "restricted"},
                {"name": "ordered", "logicalType": "date", "physicalType": "timestamp",
                 "logicalTypeOptions": {"format": "yyyy"}},
                {"name": "amount", "physicalType": "decimal(10,2)", "classification": "public",
                 "quality": [{"metric": "nullValues", "mustBeLessThan": 5, "unit": "percent", "dimension": "x"},
                             {"type": "custom", "engine": "soda", "implementation": "checks"},
                             {"metric": "medianValue", "mustBe": 3}]},
                {"name": "state", "logicalType": "string", "enum": [{"value": "open", "label": "O"}, {"value": "done"}],
                 "transformLogic": "sel s from t"},
                {"name": "tags", "logicalType": "map", "map": {"key": {"logicalType": "string"},
                                                               "value": {"logicalType": "integer"}}},
                {"name": "lines", "logicalType": "array", "items": {"logicalType": "object", "properties": [
                    {"name": "sku", "physicalType": "text"}]}},
                {"name": "raw", "logicalType": "object", "physicalType": "json"},
                {"name": "shape", "logicalType": "geometry"},
            ],
        },
        {
            "id": "customers_obj",
            "name": "customers",
            "properties": [
                {"id": "no_prop", "name": "no", "logicalType": "string", "primaryKey": True},
                {"name": "name", "logicalType": "string"},
            ],
        },
    ],
}  # fmt: skip


def imported(tmp_path: Path, document: dict[str, Any], name: str = "orders") -> Imported:
    path = tmp_path / "given.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return import_contract(path, tmp_path / name)


def dataset(made: Imported, name: str) -> Dataset:
    return load_among(drafts=(made.folder,)).dataset(DatasetId(name))


def contract_errors(made: Imported) -> list[str]:
    return [
        each.problem for each in made.findings
        if each.severity is Severity.ERROR and each.path.name.endswith((".odcs.yaml", ".service.yaml"))
    ]  # fmt: skip


class TestADocument:
    def test_becomes_a_register(self, tmp_path: Path) -> None:
        made = imported(tmp_path, ORDERS)
        assert contract_errors(made) == []
        lines = dataset(made, "orders.order_lines")
        assert {column.name: column.kind for column in lines.columns} == {
            "id": Kind.TEXT, "customer_no": Kind.TEXT, "ordered": Kind.TIMESTAMP, "amount": Kind.NUMBER,
            "state": Kind.TEXT, "tags": Kind.ARRAY, "lines": Kind.ARRAY, "raw": Kind.TEXT, "shape": Kind.TEXT,
        }  # fmt: skip
        assert lines.key == "id"
        assert lines.column("state").allowed == frozenset({"open", "done"})
        assert {rule.name for rule in lines.rules} == {"foreign_key", "missing"}
        (key,) = (rule.test for rule in lines.rules if isinstance(rule.test, ForeignKey))
        assert (key.path, key.dataset, key.column) == (("customer_no",), "orders.customers", "no")

    def test_is_personal_until_somebody_says_otherwise(self, tmp_path: Path) -> None:
        lines = dataset(imported(tmp_path, ORDERS), "orders.order_lines")
        public = [column.name for column in lines.columns if column.classification is Classification.PUBLIC]
        assert public == ["amount"]

    def test_is_told_what_became_of_it(self, tmp_path: Path) -> None:
        told = "\n".join(imported(tmp_path, ORDERS).told)
        for words in (
            "version v2 became 1.0.0", "left out: customProperties, domain, price, servers",
            "OrderLines is called order_lines here", "order_lines.customer_no: 'restricted' is treated as personal",
            "order_lines.id: a key is text here, not integer", "order_lines.raw: an object without properties",
            "order_lines.shape: 'geometry' is not a logical type here", "order_lines.ordered: left out format",
            "'medianValue' is not a metric here", "order_lines.state: its transformLogic is the source's own",
        ):  # fmt: skip
            assert words in told

    @pytest.mark.parametrize(("keys", "question"), [((), "which column identifies a row?"), ((0, 1), "together")])
    def test_without_one_key_is_a_question(self, tmp_path: Path, keys: tuple[int, ...], question: str) -> None:
        document = deepcopy(ORDERS)
        for number, prop in enumerate(document["schema"][1]["properties"]):
            prop["primaryKey"] = number in keys
        made = imported(tmp_path, document)
        assert any(line.startswith("customers: ") and question in line for line in made.to_decide)
        assert contract_errors(made) == ["no property is the primary key"]

    def test_of_flat_datasets_has_nothing_left_but_decisions(self, tmp_path: Path) -> None:
        document = deepcopy(ORDERS)
        document["schema"] = document["schema"][1:]
        made = imported(tmp_path, document, "customers")
        assert [each.problem for each in made.findings] == []
        assert set(made.files) == {"customers.odcs.yaml", "customers.service.yaml", "customers.source.yaml"}

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"apiVersion": "v2.2.2", "kind": "DataContract", "schema": [{}]},
            {"apiVersion": "v3.1.0", "kind": "DataProduct", "schema": [{}]},
            {"apiVersion": "v3.1.0", "kind": "DataContract"},
            {"apiVersion": "v3.1.0", "kind": "DataContract", "schema": [{"properties": []}]},
            {"apiVersion": "v3.1.0", "kind": "DataContract", "schema": [{"name": "---"}]},
        ],
    )
    def test_that_is_none_is_refused(self, tmp_path: Path, document: dict[str, Any]) -> None:
        with pytest.raises(ImportRefused):
            imported(tmp_path, document)
        assert not (tmp_path / "orders").exists()

    def test_never_takes_the_place_of_another(self, tmp_path: Path) -> None:
        imported(tmp_path, ORDERS)
        with pytest.raises(ImportRefused, match="not empty"):
            imported(tmp_path, ORDERS)
        with pytest.raises(ImportRefused, match="cannot be a register's name"):
            imported(tmp_path, ORDERS, "Orders-2")


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.text(max_size=5), st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)  # fmt: skip


def places(value: Any) -> list[tuple[Any, Any]]:
    """(holder, step) of every value in a document."""
    steps = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for step in steps for place in [(value, step), *places(value[step])]]


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, len(places(ORDERS)) - 1), odd=ODD)
def test_odd_values_are_told_or_refused(number: int, odd: Any) -> None:
    document = deepcopy(ORDERS)
    holder, step = places(document)[number]
    holder[step] = odd
    try:
        made = translate(document, "new")
    except ForeignRefused:
        return
    fit(made, "orders")


@pytest.mark.parametrize(
    ("given", "name"), [("OrderLines", "order_lines"), ("Køb 2", "koeb_2"), ("2nd", "x_2nd"), ("--", ""), (None, "")]
)
def test_names_are_made_legal(given: str | None, name: str) -> None:
    assert legal(given) == name


@pytest.mark.parametrize("name", ["full-example", "relationships", "all-data-types"])
def test_examples_of_the_standard_load(tmp_path: Path, name: str) -> None:
    """From https://github.com/bitol-io/open-data-contract-standard, docs/examples, where they are at hand."""
    made = import_contract(real_data("odcs", f"{name}.odcs.yaml"), tmp_path / "example")
    asked = sum("identif" in line for line in made.to_decide)
    assert contract_errors(made) == ["no property is the primary key"] * asked


def test_the_command_line_says_what_to_decide(tmp_path: Path) -> None:
    path = tmp_path / "given.yaml"
    path.write_text(yaml.safe_dump(ORDERS), "utf-8")
    done = CliRunner().invoke(app, ["contract", "import", str(path), "--into", str(tmp_path / "orders"), "--json"])
    said = json.loads(done.stdout)
    assert "who may see what" in said["to_decide"][0]
    done = CliRunner().invoke(app, ["contract", "import", str(path), "--into", str(tmp_path / "again")])
    assert "note: version v2 became 1.0.0" in done.stdout
    assert "to decide: who may see what" in done.stdout
