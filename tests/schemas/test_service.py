"""A service descriptor is read into a service, and what it cannot promise is pointed at."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kernel import Operation
from schemas import (
    Finding,
    IntegrationType,
    Service,
    ServiceStatus,
    ServiceType,
    SlaClass,
    Suitability,
    load_registers,
    suitability,
)
from tests.schemas.builders import (
    OTHER_UUID,
    PROTECTIONS,
    UUID,
    a_contract,
    a_service,
    custom,
    dump,
    errors,
    warnings,
    write,
)


def read(tmp_path: Path, **changes: Any) -> Service:
    return load_registers(write(tmp_path / "ships", services=(a_service(**changes),))).services[0]


def only_error(tmp_path: Path, **changes: Any) -> Finding:
    folder = write(tmp_path / "ships")
    (folder / "ships.service.yaml").write_text(dump(a_service(**changes)), encoding="utf-8")
    (found,) = errors(folder)
    return found


class TestService:
    def test_carries_what_its_descriptor_says(self, tmp_path: Path) -> None:
        service = read(tmp_path, terms="Name the source.")
        assert (service.name, service.uuid, service.version) == ("ships", UUID, "1.0.0")
        assert service.title == {"da": "Skibe", "en": "Ships"}
        assert service.terms == "Name the source."
        assert service.sla_class is SlaClass.SIMPLE

    def test_a_lookup_by_a_public_key_also_has_records(self, tmp_path: Path) -> None:
        assert read(tmp_path).operations == {Operation.LOOKUP, Operation.RECORD}

    def test_a_personal_key_never_stands_in_a_url(self, tmp_path: Path) -> None:
        contract = a_contract(customProperties=custom(classification="personal"))
        registers = load_registers(write(tmp_path / "ships", contract=contract, services=(a_service(),)))
        assert registers.service("ships").operations == {Operation.LOOKUP}

    def test_names_what_it_can_be_searched_by(self, tmp_path: Path) -> None:
        service = read(tmp_path, search=["tonnage"])
        assert service.search == ("tonnage",)
        assert service.operations == {Operation.LOOKUP, Operation.RECORD, Operation.SEARCH}

    def test_a_search_by_a_column_that_is_not_there_is_pointed_at(self, tmp_path: Path) -> None:
        found = only_error(tmp_path, search=["imo", "flag"])
        assert (found.where, found.problem) == ("search[1]", "ships.ships has no column 'flag'")

    def test_an_established_soap_interface_that_nobody_knows_is_pointed_at(self, tmp_path: Path) -> None:
        found = only_error(tmp_path, soap="demo-2")
        assert (found.where, found.problem) == ("soap", "there is no established interface 'demo-2'")
        assert "demo-1" in found.remedy

    def test_an_established_soap_interface_speaks_of_its_own_dataset(self, tmp_path: Path) -> None:
        found = only_error(tmp_path, soap="person-base-data-extended-5")
        assert (found.where, found.problem) == ("soap", "person-base-data-extended-5 speaks of cpr.persons")

    def test_a_search_by_a_whole_list_is_pointed_at(self, tmp_path: Path) -> None:
        contract = a_contract()
        contract["schema"][0]["properties"].append(PROTECTIONS)
        named = a_service(search=["protections", "protections.type"])
        (found,) = errors(write(tmp_path / "ships", contract=contract, services=(named,)))
        assert (found.where, found.problem) == ("search[0]", "'protections' is not one value")

    def test_an_extract_cannot_be_searched(self, tmp_path: Path) -> None:
        assert only_error(tmp_path, service_type="extract", sla_class="bulk", search=["imo"]).where == "search"

    def test_an_extract_has_extracts(self, tmp_path: Path) -> None:
        service = read(tmp_path, service_type="extract", sla_class="bulk")
        assert service.operations == {Operation.EXTRACT}

    def test_may_have_a_stub_beside_it(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "ships", services=(a_service(stub="answer.json"),))
        (folder / "answer.json").write_text("{}")
        assert load_registers(folder).services[0].stub == folder / "answer.json"

    @pytest.mark.parametrize("stub", ["missing.json", "../ships/ships.odcs.yaml", "/etc/hostname"])
    def test_a_stub_lies_beside_its_descriptor(self, tmp_path: Path, stub: str) -> None:
        assert only_error(tmp_path, stub=stub).where == "stub"

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", "Ships"),
            ("name", "ships_danish"),
            ("name", "ships-"),
            ("name", "ships/../cpr"),
            ("name", "x" * 64),
            ("uuid", "ships"),
            ("uuid", 17),
            ("version", 1.0),
            ("version", "1.0"),
            ("status", "live"),
            ("service_type", "search"),
            ("integration_type", "mirror"),
            ("sla_class", "fast"),
            ("dataset", "ships"),
            ("terms", 17),
        ],
    )
    def test_says_only_what_has_a_meaning(self, tmp_path: Path, field: str, value: Any) -> None:
        found = only_error(tmp_path, **{field: value})
        assert found.where == field
        assert found.remedy

    @pytest.mark.parametrize("field", ["name", "uuid", "version", "title", "description", "status", "sla_class"])
    def test_leaves_nothing_out(self, tmp_path: Path, field: str) -> None:
        found = only_error(tmp_path, **{field: None})
        assert (found.where, found.remedy) == (field, "add it")

    def test_has_no_fields_of_its_own(self, tmp_path: Path) -> None:
        found = only_error(tmp_path, prise_model="free")
        assert (found.where, found.remedy) == ("prise_model", "write price_model")

    @pytest.mark.parametrize("title", [{"da": "Skibe"}, {"da": "Skibe", "en": " "}])
    def test_has_a_title_in_both_languages(self, tmp_path: Path, title: dict[str, str]) -> None:
        assert only_error(tmp_path, title=title).where == "title.en"

    def test_of_a_replica_names_a_dataset(self, tmp_path: Path) -> None:
        assert only_error(tmp_path, dataset=None).where == "dataset"

    def test_names_a_dataset_that_is_promised(self, tmp_path: Path) -> None:
        found = only_error(tmp_path, dataset="ships.boats")
        assert "ships.boats" in found.problem
        assert found.remedy == "name one of ships.ships"
        assert found.path.read_text().splitlines()[found.line - 1] == "dataset: ships.boats"

    def test_that_is_deprecated_retires_after_its_last_day(self, tmp_path: Path) -> None:
        service = read(tmp_path, status="deprecated", ends=date(2031, 3, 31))
        assert service.status_on(date(2031, 3, 31)) is ServiceStatus.DEPRECATED
        assert service.status_on(date(2031, 4, 1)) is ServiceStatus.RETIRED

    @pytest.mark.parametrize(
        ("where", "changes"),
        [
            ("status", {"status": "deprecated"}),
            ("ends", {"ends": date(2031, 3, 31)}),
            ("ends", {"status": "deprecated", "ends": "next year"}),
            ("successor", {"successor": "ships"}),
            ("successor", {"status": "deprecated", "ends": date(2031, 3, 31), "successor": "ships"}),
            ("successor", {"status": "deprecated", "ends": date(2031, 3, 31), "successor": "nobody"}),
        ],
    )
    def test_says_how_it_ends_and_what_follows(self, tmp_path: Path, where: str, changes: dict[str, Any]) -> None:
        folder = write(tmp_path / "ships")
        (folder / "ships.service.yaml").write_text(dump(a_service(**changes)), encoding="utf-8")
        assert where in {found.where for found in errors(folder)}

    def test_lies_in_a_file_of_its_name(self, tmp_path: Path) -> None:
        folder = write(tmp_path / "ships")
        (folder / "boats.service.yaml").write_text(dump(a_service()), encoding="utf-8")
        (found,) = warnings(folder)
        assert found.remedy == "rename it to ships.service.yaml"


class TestSuitability:
    """The table of the design: x suitable, o less suitable, - refused."""

    @pytest.mark.parametrize(
        ("service_type", "row"),
        [("lookup", "xxxoo"), ("extract", "xox-o"), ("update", "xx-xx"), ("function", "xx-xx")],
    )
    def test_is_that_of_the_design(self, service_type: str, row: str) -> None:
        marks = {Suitability.SUITABLE: "x", Suitability.LESS: "o", Suitability.REFUSED: "-"}
        columns = ("redirect", "pass-through", "replica", "orchestration", "component")
        found = (suitability(ServiceType(service_type), IntegrationType(column)) for column in columns)
        assert "".join(marks[fit] for fit in found) == row

    @pytest.mark.parametrize(
        ("service_type", "integration_type"),
        [("extract", "orchestration"), ("update", "replica"), ("function", "replica")],
    )
    def test_a_combination_that_does_not_fit_is_refused(
        self, tmp_path: Path, service_type: str, integration_type: str
    ) -> None:
        sla_class = "bulk" if service_type == "extract" else "medium"
        found = only_error(tmp_path, service_type=service_type, integration_type=integration_type, sla_class=sla_class)
        assert found.where == "integration_type"
        assert "is not offered" in found.problem

    def test_a_combination_that_fits_less_well_is_loaded_with_a_warning(self, tmp_path: Path) -> None:
        folder = write(
            tmp_path / "ships",
            services=(a_service(integration_type="component", component={"name": "cvr-number-check"}),),
        )
        (found,) = warnings(folder)
        assert "less suitable" in found.problem
        assert load_registers(folder).service("ships").integration_type is IntegrationType.COMPONENT


class TestServicesTogether:
    def test_share_no_name_and_no_uuid(self, tmp_path: Path) -> None:
        write(tmp_path / "ships", services=(a_service(),))
        write(
            tmp_path / "boats",
            contract=a_contract(name="boats") | {"id": "boats-contract"},
            services=(a_service(),),
        )
        name, uuid = errors(tmp_path)
        assert (name.where, uuid.where) == ("name", "uuid")
        assert str(tmp_path / "boats" / "ships.service.yaml") in name.problem

    def test_are_both_loaded_when_both_are_new(self, tmp_path: Path) -> None:
        extract = a_service(name="ships-extract", uuid=OTHER_UUID, service_type="extract", sla_class="bulk")
        registers = load_registers(write(tmp_path / "ships", services=(a_service(), extract)))
        assert {service.name for service in registers.services} == {"ships", "ships-extract"}
