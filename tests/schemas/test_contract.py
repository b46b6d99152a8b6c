"""A contract is read into datasets, and what it cannot promise is pointed at."""

from pathlib import Path
from typing import Any

import pytest

from schemas import Classification, Column, ContractInvalid, Dataset, Finding, Kind, ProtectionRule, load_registers
from tests.schemas.builders import PROTECTIONS, RULE, a_contract, custom, dump, errors, warnings, write

PROTECTED = {"name": "owner", "logicalType": "string", "classification": "protected"}


def read(tmp_path: Path, contract: dict[str, Any]) -> Dataset:
    return load_registers(write(tmp_path / "ships", contract=contract)).datasets[0]


def column(tmp_path: Path, **prop: Any) -> Column:
    return read(tmp_path, a_contract({"name": "extra", "logicalType": "string", **prop})).column("extra")


def only_error(tmp_path: Path, contract: dict[str, Any] | str) -> Finding:
    (found,) = errors(write(tmp_path / "ships", contract=contract))
    return found


def property_error(tmp_path: Path, **prop: Any) -> Finding:
    """The one error of a contract whose third property is this."""
    found = only_error(tmp_path, a_contract({"name": "extra", "logicalType": "string", **prop}))
    assert found.where.startswith("schema[0].properties[2]")
    return found


class TestContract:
    def test_becomes_a_dataset_with_a_key(self, tmp_path: Path) -> None:
        dataset = read(tmp_path, a_contract())
        assert (dataset.id, dataset.key, dataset.names) == ("ships.ships", "imo", ("imo", "tonnage"))

    def test_a_key_is_required_and_unique_without_saying_so(self, tmp_path: Path) -> None:
        key = read(tmp_path, a_contract()).column("imo")
        assert key.required
        assert key.unique

    def test_says_how_old_the_mirror_may_be(self, tmp_path: Path) -> None:
        contract = a_contract(customProperties=custom(freshnessTargetSeconds=3600))
        assert read(tmp_path, contract).freshness_target_s == 3600

    def test_objects_and_arrays_may_hold_each_other(self, tmp_path: Path) -> None:
        made = column(
            tmp_path,
            logicalType="array",
            items={
                "logicalType": "object",
                "properties": [
                    {"name": "port", "logicalType": "string"},
                    {"name": "dates", "logicalType": "array", "items": {"logicalType": "date"}},
                ],
            },
        )
        assert made.item is not None
        assert [field.kind for field in made.item.fields] == [Kind.TEXT, Kind.ARRAY]

    def test_a_column_knows_where_it_comes_from(self, tmp_path: Path) -> None:
        assert column(tmp_path, transformSourceObjects=["001.STATUS"]).source == "001.STATUS"

    @pytest.mark.parametrize(
        "prop",
        [
            {"enum": [{"value": "01"}, {"value": "02"}]},
            {"customProperties": custom(allowed=["01", "02"])},
            {"quality": [{"metric": "invalidValues", "arguments": {"validValues": ["01", "02"]}, "mustBe": 0}]},
        ],
    )
    def test_allowed_values_can_be_said_in_three_ways(self, tmp_path: Path, prop: dict[str, Any]) -> None:
        assert column(tmp_path, **prop).allowed == frozenset({"01", "02"})

    def test_a_date_without_quotation_marks_is_text(self, tmp_path: Path) -> None:
        text = dump(a_contract()) + "contractCreatedTs: 2031-05-17T08:00:00Z\n"
        assert errors(write(tmp_path / "ships", contract=text)) == []


class TestClassification:
    def test_is_public_unless_said_otherwise(self, tmp_path: Path) -> None:
        assert read(tmp_path, a_contract()).classification is Classification.PUBLIC

    def test_of_a_dataset_is_that_of_its_columns(self, tmp_path: Path) -> None:
        dataset = read(tmp_path, a_contract(customProperties=custom(classification="personal")))
        assert {made.classification for made in dataset.columns} == {Classification.PERSONAL}

    def test_of_a_column_is_that_of_its_fields(self, tmp_path: Path) -> None:
        owner = {
            "logicalType": "object",
            "classification": "personal",
            "properties": [{"name": "name", "logicalType": "string"}],
        }
        assert column(tmp_path, **owner).fields[0].classification is Classification.PERSONAL

    def test_misspelt_is_refused_and_not_taken_as_public(self, tmp_path: Path) -> None:
        found = property_error(tmp_path, clasification="protected")
        assert "clasification" in found.problem
        assert found.remedy == "write classification"

    def test_unknown_is_refused(self, tmp_path: Path) -> None:
        assert "secret" in property_error(tmp_path, classification="secret").problem

    def test_nothing_inside_a_column_may_be_stricter_than_the_column(self, tmp_path: Path) -> None:
        owner = {"name": "owner", "logicalType": "string", "classification": "personal"}
        found = property_error(tmp_path, logicalType="object", properties=[owner])
        assert "owner within it is personal" in found.problem

    def test_a_key_cannot_be_withheld(self, tmp_path: Path) -> None:
        contract = a_contract(
            PROTECTIONS, key={"classification": "protected"}, customProperties=custom(protection=RULE)
        )
        assert "withheld" in only_error(tmp_path, contract).problem


class TestProtection:
    def test_names_the_list_and_the_fields_that_decide(self, tmp_path: Path) -> None:
        dataset = read(tmp_path, a_contract(PROTECTIONS, PROTECTED, customProperties=custom(protection=RULE)))
        assert dataset.protection == ProtectionRule()
        assert dataset.protected_columns == ("owner",)

    def test_must_be_there_when_a_column_is_protected(self, tmp_path: Path) -> None:
        assert "no rule" in only_error(tmp_path, a_contract(PROTECTIONS, PROTECTED)).problem

    @pytest.mark.parametrize(
        ("change", "where"),
        [
            ({"list": "nowhere"}, "value.list"),
            ({"list": "tonnage"}, "value.list"),
            ({"list": ["protections"]}, "value.list"),
            ({"type": "kind"}, "value.type"),
            ({"type": "from_date"}, "value.type"),
            ({"from": "start"}, "value.from"),
            ({"to": {}}, "value.to"),
            ({"types": "0001"}, "value.types"),
            ({"types": [1]}, "value.types"),
            ({"types": []}, "value.types"),
            ({"until": "to_date"}, "value"),
        ],
    )
    def test_may_name_only_what_is_there(self, tmp_path: Path, change: dict[str, Any], where: str) -> None:
        contract = a_contract(PROTECTIONS, customProperties=custom(protection=RULE | change))
        assert only_error(tmp_path, contract).where == f"schema[0].customProperties[0].{where}"


class TestKey:
    def test_must_be_there(self, tmp_path: Path) -> None:
        assert "primary key" in only_error(tmp_path, a_contract(key={"primaryKey": False})).problem

    def test_is_one_column(self, tmp_path: Path) -> None:
        found = property_error(tmp_path, primaryKey=True)
        assert found.problem == "is a second primary key"

    def test_is_text(self, tmp_path: Path) -> None:
        assert "not a integer" in only_error(tmp_path, a_contract(key={"logicalType": "integer"})).problem

    @pytest.mark.parametrize("rule", ["required", "unique"])
    def test_cannot_be_left_out_or_repeated(self, tmp_path: Path, rule: str) -> None:
        assert only_error(tmp_path, a_contract(key={rule: False})).where == f"schema[0].properties[0].{rule}"


class TestNames:
    @pytest.mark.parametrize(
        "name",
        ["Owner", "owner-name", "1st", "_hash", "øre", 'x"; DROP TABLE ships; --', "", "x" * 64, "imo\n", "rowid"],
    )
    def test_of_columns_are_safe_in_sql_and_in_paths(self, tmp_path: Path, name: str) -> None:
        assert "cannot be a name" in property_error(tmp_path, name=name).problem

    def test_of_fields_are_as_safe(self, tmp_path: Path) -> None:
        assert property_error(
            tmp_path, logicalType="object", properties=[{"name": "a b", "logicalType": "string"}]
        ).where.endswith("properties[0].name")

    def test_of_columns_meet_only_once(self, tmp_path: Path) -> None:
        assert "second column" in property_error(tmp_path, name="tonnage").problem

    def test_of_datasets_are_as_safe(self, tmp_path: Path) -> None:
        assert only_error(tmp_path, a_contract(name="Ships")).where == "schema[0].name"

    def test_of_registers_are_as_safe(self, tmp_path: Path) -> None:
        (found,) = errors(write(tmp_path / "Danish ships"))
        assert "register's name" in found.problem


class TestRules:
    @pytest.mark.parametrize("pattern", ["[0-9", "(?=a)b", r"(a)\1", "a++", "x{5000}", "[[:digit:]]", 17])
    def test_a_pattern_is_one_that_every_engine_reads(self, tmp_path: Path, pattern: Any) -> None:
        found = property_error(tmp_path, logicalTypeOptions={"pattern": pattern})
        assert found.where.endswith("logicalTypeOptions.pattern")

    def test_a_pattern_whose_meaning_varies_is_warned_of(self, tmp_path: Path) -> None:
        extra = {"name": "extra", "logicalType": "string", "logicalTypeOptions": {"pattern": r"\d{4}"}}
        (found,) = warnings(write(tmp_path / "ships", contract=a_contract(extra)))
        assert "[0-9]" in found.remedy

    def test_a_minimum_is_not_above_the_maximum(self, tmp_path: Path) -> None:
        found = property_error(tmp_path, logicalType="integer", logicalTypeOptions={"minimum": 2, "maximum": 1})
        assert found.problem == "is above maximum"

    @pytest.mark.parametrize("bound", ["1", True, float("nan"), float("inf"), 2**60 + 1, -(10**30)])
    def test_a_bound_is_a_number_of_usual_size(self, tmp_path: Path, bound: Any) -> None:
        found = property_error(tmp_path, logicalType="number", logicalTypeOptions={"minimum": bound})
        assert "number" in found.problem

    def test_a_rule_of_another_type_is_refused(self, tmp_path: Path) -> None:
        found = property_error(tmp_path, logicalTypeOptions={"minimum": 1})
        assert found.problem == "is not an option of a string"

    def test_a_rule_that_nobody_checks_is_warned_of(self, tmp_path: Path) -> None:
        extra = {"name": "extra", "logicalType": "string", "logicalTypeOptions": {"maxLength": 4}}
        (found,) = warnings(write(tmp_path / "ships", contract=a_contract(extra)))
        assert found.problem == "is not checked on rows"

    @pytest.mark.parametrize("values", [[1, 2], ["01", 2], [True], [], "01", ["01", "01"]])
    def test_allowed_values_are_texts(self, tmp_path: Path, values: Any) -> None:
        assert property_error(tmp_path, customProperties=custom(allowed=values)).where.endswith("[0].value")

    def test_a_secondary_key_is_declared(self, tmp_path: Path) -> None:
        assert column(tmp_path, customProperties=custom(secondaryKey=True)).secondary_key
        assert read(tmp_path, a_contract()).secondary_keys == ()

    @pytest.mark.parametrize("value", ["yes", 1, None])
    def test_a_secondary_key_is_true_or_false(self, tmp_path: Path, value: Any) -> None:
        assert "neither true nor false" in property_error(tmp_path, customProperties=custom(secondaryKey=value)).problem

    def test_rows_are_not_found_by_what_cannot_be_searched(self, tmp_path: Path) -> None:
        found = property_error(tmp_path, logicalType="boolean", customProperties=custom(secondaryKey=True))
        assert "cannot be a secondary key" in found.problem

    def test_rows_are_not_found_by_what_lies_within_a_column(self, tmp_path: Path) -> None:
        inner = {"name": "code", "logicalType": "string", "customProperties": custom(secondaryKey=True)}
        found = property_error(tmp_path, logicalType="object", properties=[inner])
        assert "code within it" in found.problem

    def test_only_text_has_allowed_values(self, tmp_path: Path) -> None:
        found = property_error(tmp_path, logicalType="integer", enum=[{"value": "01"}])
        assert "no list of allowed values" in found.problem

    @pytest.mark.parametrize("kind", ["text", "map", "vector", "time", None])
    def test_a_logical_type_is_one_that_the_house_can_hold(self, tmp_path: Path, kind: str | None) -> None:
        assert property_error(tmp_path, logicalType=kind).where.endswith("logicalType")

    @pytest.mark.parametrize("shape", [{"logicalType": "array"}, {"logicalType": "object"}])
    def test_what_holds_others_says_what_it_holds(self, tmp_path: Path, shape: dict[str, Any]) -> None:
        assert "without" in property_error(tmp_path, **shape).problem

    @pytest.mark.parametrize("seconds", [0, -1, "3600", True, 1.5])
    def test_a_freshness_target_is_whole_seconds(self, tmp_path: Path, seconds: Any) -> None:
        contract = a_contract(customProperties=custom(freshnessTargetSeconds=seconds))
        assert only_error(tmp_path, contract).where == "schema[0].customProperties[0].value"

    @pytest.mark.parametrize("layout", ["fixed", "CPR", 1, ["cpr"]])
    def test_a_record_layout_is_one_that_can_be_written(self, tmp_path: Path, layout: Any) -> None:
        contract = a_contract(customProperties=custom(recordLayout=layout))
        assert only_error(tmp_path, contract).where == "schema[0].customProperties[0].value"


class TestStandard:
    @pytest.mark.parametrize("version", ["v2.2.2", "v4.0.0", "3.1.0", 3, None, "v3.x"])
    def test_is_read_in_version_3(self, tmp_path: Path, version: Any) -> None:
        assert only_error(tmp_path, a_contract() | {"apiVersion": version}).where == "apiVersion"

    @pytest.mark.parametrize("name", ["id", "status", "kind", "version"])
    def test_wants_its_head(self, tmp_path: Path, name: str) -> None:
        contract = {key: value for key, value in a_contract().items() if key != name}
        assert only_error(tmp_path, contract).where == name

    def test_wants_a_dataset(self, tmp_path: Path) -> None:
        assert only_error(tmp_path, a_contract() | {"schema": []}).where == "schema"

    def test_yes_in_quotation_marks_is_not_yes(self, tmp_path: Path) -> None:
        assert property_error(tmp_path, required="no").where.endswith("properties[2].required")

    def test_has_no_other_fields_at_the_top(self, tmp_path: Path) -> None:
        assert only_error(tmp_path, a_contract() | {"owner": "us"}).where == "owner"

    def test_a_misspelt_custom_property_is_warned_of(self, tmp_path: Path) -> None:
        contract = a_contract(customProperties=custom(clasification="personal"))
        (found,) = warnings(write(tmp_path / "ships", contract=contract))
        assert found.remedy == "write classification"

    def test_custom_properties_of_others_are_left_alone(self, tmp_path: Path) -> None:
        contract = a_contract(customProperties=custom(retentionClass="K7"))
        assert warnings(write(tmp_path / "ships", contract=contract)) == []


class TestFindings:
    def test_each_names_file_line_problem_and_remedy(self, tmp_path: Path) -> None:
        lines = dump(a_contract({"name": "extra", "logicalType": "tekst"})).splitlines()
        found = only_error(tmp_path, "\n".join(lines))
        assert lines[found.line - 1].strip() == "logicalType: tekst"
        assert found.path == tmp_path / "ships" / "ships.odcs.yaml"
        assert found.where == "schema[0].properties[2].logicalType"
        assert "string" in found.remedy

    def test_all_faults_are_found_at_once(self, tmp_path: Path) -> None:
        contract = a_contract({"name": "A", "logicalType": "string"}, {"name": "b", "logicalType": "tekst"})
        assert len(errors(write(tmp_path / "ships", contract=contract))) == 2

    def test_a_register_with_an_error_is_not_loaded(self, tmp_path: Path) -> None:
        with pytest.raises(ContractInvalid, match="primary key") as refused:
            load_registers(write(tmp_path / "ships", contract=a_contract(key={"primaryKey": False})))
        assert len(refused.value.findings) == 1
        assert "contract check" in refused.value.remedy
