"""The registers that come with the house."""

import pytest

from kernel import DatasetId, Operation
from schemas import (
    SHIPPED,
    SOAP_INTERFACES,
    IntegrationType,
    Kind,
    Registers,
    SlaClass,
    check_registers,
    load_registers,
)


@pytest.fixture(scope="module")
def shipped() -> Registers:
    return load_registers(SHIPPED)


class TestShippedRegisters:
    def test_nothing_is_wrong_with_them(self) -> None:
        assert check_registers(SHIPPED) == []

    def test_they_promise_persons_companies_places_authorities_and_classes(self, shipped: Registers) -> None:
        assert [dataset.id for dataset in shipped.datasets] == [
            "authority.authorities",
            "classification.classes",
            "cpr.persons",
            "cvr.companies",
            "cvr.production_units",
            "korsbaek.notes",
            "municipality.municipalities",
            "road.roads",
        ]

    def test_each_has_a_lookup_and_an_extract(self, shipped: Registers) -> None:
        from_the_mirror = [
            each for each in shipped.services if each.integration_type is IntegrationType.REPLICA and not each.soap
        ]
        assert {service.name: service.operations for service in from_the_mirror} == {
            "authorities": {Operation.LOOKUP, Operation.RECORD},
            "authorities-extract": {Operation.EXTRACT},
            "classes": {Operation.LOOKUP, Operation.RECORD, Operation.SEARCH},
            "classes-extract": {Operation.EXTRACT},
            "cvr-companies": {Operation.LOOKUP, Operation.RECORD, Operation.SEARCH},
            "cvr-companies-extract": {Operation.EXTRACT},
            "cvr-units": {Operation.LOOKUP, Operation.RECORD, Operation.SEARCH},
            "cvr-units-extract": {Operation.EXTRACT},
            "korsbaek-notes": {Operation.LOOKUP, Operation.SEARCH},
            "cpr-persons": {Operation.LOOKUP},
            "cpr-person-search": {Operation.LOOKUP, Operation.SEARCH},
            "cpr-persons-extract": {Operation.EXTRACT},
            "municipalities": {Operation.LOOKUP, Operation.RECORD, Operation.SEARCH},
            "municipalities-extract": {Operation.EXTRACT},
            "roads": {Operation.LOOKUP, Operation.RECORD},
            "roads-extract": {Operation.EXTRACT},
        }

    def test_every_live_service_answers_some_call(self, shipped: Registers) -> None:
        live = [each for each in shipped.services if each.integration_type is not IntegrationType.REPLICA]
        assert {each.integration_type for each in live} == set(IntegrationType) - {IntegrationType.REPLICA}
        assert all(each.operations for each in live)

    def test_the_established_soap_interfaces_have_services_of_their_own(self, shipped: Registers) -> None:
        assert sorted(service.soap for service in shipped.services if service.soap) == sorted(SOAP_INTERFACES)

    def test_a_service_speaks_danish_and_english(self, shipped: Registers) -> None:
        assert shipped.service("municipalities").title == {"da": "Kommuner", "en": "Municipalities"}

    def test_a_municipality_has_code_name_region_cvr_and_population(self, shipped: Registers) -> None:
        dataset = shipped.dataset(DatasetId("municipality.municipalities"))
        assert dataset.names == ("code", "name", "region", "region_code", "cvr", "population")
        assert dataset.key == "code"
        assert dataset.column("population").kind is Kind.INTEGER
        assert not dataset.personal

    def test_a_person_is_personal_and_name_and_address_are_protected(self, shipped: Registers) -> None:
        dataset = shipped.dataset(DatasetId("cpr.persons"))
        assert dataset.personal
        assert not dataset.key_is_public
        assert dataset.protection is not None
        assert "address" in dataset.protected_columns
        assert "municipality_code" not in dataset.protected_columns

    def test_lookups_promise_a_second_and_extracts_a_speed(self, shipped: Registers) -> None:
        assert shipped.service("cpr-persons").sla_class.seconds == 1.0
        assert shipped.service("cpr-persons-extract").sla_class is SlaClass.BULK
        assert (SlaClass.BULK.seconds, SlaClass.BULK.bytes_per_s) == (15.0, 200_000)
