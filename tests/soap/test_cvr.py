"""CVR Online 2: companies and production units by number and search, in messages that are wrapped twice."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from api.soap.established.cvr_answer import COMPANY, NEEDED, UNIT, company, unit
from api.soap.established.cvr_types import INNER, OPERATIONS, OUTER, OUTER_SCHEMA, TYPES, WSDL
from api.soap.interface import declared, writer_of
from api.soap.notation import Name
from kernel import CallAnswered, Operation
from schemas import SHIPPED, Column, Kind, load_registers
from tests.api.house import AALBORG, Client, Reply
from tests.soap.post import Office, answer_of, authority, fault_of, post
from tests.soap.types import types_of

PATH = "/service/CVR/Online/2"
SCHEMA = types_of(OUTER_SCHEMA)
BEGAN = "SearchLifecycleStartDateInterval"
UUID = "c0daecde-e278-43b7-84fd-477bfeeea027"


def ask(client: Client, operation: str, inside: str, context: str | None = None, attributes: str = "") -> Reply:
    name = f"{operation[0].upper()}{operation[1:]}Request"
    inner = f'<i:{name} xmlns:i="{INNER}" xmlns="{TYPES}" {attributes}>{inside}</i:{name}>'
    return post(client, PATH, f'<o:{name} xmlns:o="{OUTER}">{context or authority()}{inner}</o:{name}>')


def answered(reply: Reply) -> Any:
    answer = answer_of(reply)
    SCHEMA.validate(answer)
    return answer


def texts(answer: Any, name: str) -> list[str]:
    return [str(each.text) for each in answer.iter(f"{{{TYPES}}}{name}")]


class TestCompanies:
    def test_by_number_without_the_level_that_the_schema_requires(self, office: Office, client: Client) -> None:
        answer = answered(ask(client, "getLegalUnit", "<LegalUnitIdentifier>99000001</LegalUnitIdentifier>"))
        assert [etree.QName(each).localname for each in answer] == ["GetLegalUnitResponse"]
        assert answer[0].tag == f"{{{INNER}}}GetLegalUnitResponse"
        (found,) = answer[0]
        assert found.findtext(f"{{{TYPES}}}LegalUnitName/{{{TYPES}}}name") == "Prøvefirmaet Ærø A/S"
        assert found.find(f"{{{TYPES}}}LegalUnitName").get("validFromDate") == "2011-01-02+01:00"
        assert texts(found, "AdvertisingProtectionIndicator") == ["true"]
        assert texts(found, "ActivityCode") == ["620100"]
        assert texts(found, "BusinessFormatCode") == ["60"]
        assert texts(found, "EmploymentIntervalCode") == ["E"]
        assert texts(found, "ProductionUnitIdentifier") == ["9900000001"]
        words = {etree.QName(each).localname: each.text for each in found.iter() if not len(each)}
        assert (words["StreetName"], words["StreetBuildingIdentifier"], words["PostCodeIdentifier"]) == (
            "Prøvevej", "12B", "9000",
        )  # fmt: skip
        fact = office.house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.operation, fact.rows) == (Operation.LOOKUP, 1)

    def test_an_invocation_context_is_all_that_its_clients_know(self, office: Office, client: Client) -> None:
        inside = "<LegalUnitIdentifier>99000001</LegalUnitIdentifier>"
        answered(ask(client, "getLegalUnit", inside, office.invocation(UUID), 'level="1"'))

    def test_one_of_which_little_is_known(self, client: Client) -> None:
        answer = answered(ask(client, "getLegalUnit", "<LegalUnitIdentifier>99000002</LegalUnitIdentifier>"))
        assert texts(answer, "AdvertisingProtectionIndicator") == ["false"]

    def test_an_unknown_one_is_the_text_that_clients_compare(self, client: Client) -> None:
        fault = fault_of(ask(client, "getLegalUnit", "<LegalUnitIdentifier>99999999</LegalUnitIdentifier>"))
        assert fault.text == fault.error_text == "Required property '/virksomhed/CVRNummer' missing."

    @pytest.mark.parametrize(
        ("conditions", "numbers"),
        [
            (f'<SearchName xmlns="{INNER}">prove ae</SearchName>', ["99000001"]),
            (f'<SearchName xmlns="{INNER}">firmaet</SearchName>', []),
            ("<ActivityCode>620100</ActivityCode>", ["99000001"]),
            ("<BusinessFormatCode>60</BusinessFormatCode>", ["99000001"]),
            ("<AdvertisingProtectionIndicator>false</AdvertisingProtectionIndicator>", ["99000002"]),
            ("<AdvertisingProtectionIndicator>true</AdvertisingProtectionIndicator>", ["99000001"]),
            ("<SearchLifecycleStatus>active</SearchLifecycleStatus>", ["99000001"]),
            (
                "<SearchAddress><StreetName>prøvevej</StreetName><MunicipalityCode>0851</MunicipalityCode></SearchAddress>",
                ["99000001"],
            ),
            (f"<{BEGAN}><StartDate>2010-01-01</StartDate><EndDate>2010-12-31</EndDate></{BEGAN}>", ["99000001"]),
            (
                "<SearchNumberOfProductionUnitInterval><StartNumber>2</StartNumber></SearchNumberOfProductionUnitInterval>",
                ["99000001"],
            ),
        ],
    )
    def test_by_search(self, client: Client, conditions: str, numbers: list[str]) -> None:
        answer = answered(ask(client, "searchLegalUnit", conditions))
        assert texts(answer, "LegalUnitIdentifier") == numbers

    def test_that_there_are_more_is_told(self, client: Client) -> None:
        inside = "<SearchLifecycleStatus>all</SearchLifecycleStatus><ActivityCode>620100</ActivityCode>"
        most = 'maximumNumberOfResultsType="1"'
        answer = answered(ask(client, "searchProductionUnit", inside, attributes=most))
        assert (
            answer.find(f".//{{{INNER}}}ProductionUnitIdentifierCollection").get("moreResultsExistIndicator") == "true"
        )

    @pytest.mark.parametrize(
        "inside",
        [
            "", "<PersonCivilregistrationIdentifier>6101701001</PersonCivilregistrationIdentifier>",
            "<SearchName>-</SearchName>",
            "<SearchLifecycleStartDateInterval><StartDate>x</StartDate></SearchLifecycleStartDateInterval>",
        ],
    )  # fmt: skip
    def test_what_nobody_can_be_found_by_is_refused(self, client: Client, inside: str) -> None:
        assert fault_of(ask(client, "searchLegalUnit", inside)).error == "soap_payload_invalid"


class TestUnits:
    def test_by_number(self, client: Client) -> None:
        inside = "<ProductionUnitIdentifier>9900000001</ProductionUnitIdentifier>"
        answer = answered(ask(client, "getProductionUnit", inside))
        assert texts(answer, "LegalUnitIdentifier") == ["99000001"]

    def test_an_unknown_one_is_a_fault(self, client: Client) -> None:
        inside = "<ProductionUnitIdentifier>9999999999</ProductionUnitIdentifier>"
        assert "missing." in fault_of(ask(client, "getProductionUnit", inside)).text

    def test_by_company(self, client: Client) -> None:
        inside = "<LegalUnitIdentifier>99000001</LegalUnitIdentifier>"
        answer = answered(ask(client, "getRelatedProductionUnitNameAndAddress", inside))
        assert texts(answer, "ProductionUnitIdentifier") == ["9900000001", "9900000002"]
        assert texts(answered(ask(client, "searchProductionUnit", inside)), "ProductionUnitIdentifier") == [
            "9900000001", "9900000002",
        ]  # fmt: skip


def test_without_the_inner_request_it_is_refused(client: Client) -> None:
    body = f'<o:GetLegalUnitRequest xmlns:o="{OUTER}">{authority(AALBORG)}</o:GetLegalUnitRequest>'
    assert fault_of(post(client, PATH, body)).error == "soap_payload_invalid"


def test_the_wsdl_names_five_operations_and_no_fault(client: Client) -> None:
    root = etree.fromstring(client.get(f"{PATH}?wsdl").body)
    space = "http://schemas.xmlsoap.org/wsdl/"
    assert root.get("targetNamespace") == WSDL
    assert tuple(each.get("name") for each in root.iterfind(f"{{{space}}}portType/{{{space}}}operation")) == OPERATIONS
    assert not list(root.iter(f"{{{space}}}fault"))


def _some(column: Column) -> st.SearchStrategy[Any]:
    match column.kind:
        case Kind.OBJECT:
            return st.fixed_dictionaries({field.name: st.none() | _some(field) for field in column.fields})
        case Kind.ARRAY:
            assert column.item is not None
            return st.lists(_some(column.item), max_size=2)
        case Kind.BOOLEAN:
            return st.booleans()
        case Kind.INTEGER:
            return st.integers(-5, 10**6)
        case Kind.DATE:
            return st.dates(date(1850, 1, 1), date(2100, 1, 1))
    codes = ["0851", "9000", "12", "B", "DK", "620100", "60", "2025", "2025-K3", "ANTAL_10_19", "99000001"]
    return st.one_of(st.sampled_from(codes), st.text(max_size=45))


def _rows(dataset: str, columns: tuple[str, ...], key: str) -> st.SearchStrategy[dict[str, Any]]:
    found = next(each for each in load_registers(SHIPPED).datasets if each.id == dataset)
    values = {each.name: st.none() | _some(each) for each in found.columns if each.name in columns}
    values["start_date"] = st.dates(date(1850, 1, 1), date(2100, 1, 1))
    values[key] = st.just("99000001" if key == "cvr" else "9900000001")
    needed = {name: values[name] for name in (*NEEDED, key)}
    return st.fixed_dictionaries(needed, optional={name: each for name, each in values.items() if name not in needed})


WRITER = writer_of(OUTER_SCHEMA)


@settings(max_examples=100, deadline=None)
@given(row=_rows("cvr.companies", COMPANY, "cvr"))
def test_whatever_a_company_holds_the_answer_fits_the_types(row: dict[str, Any]) -> None:
    written = WRITER.element(Name(OUTER, "GetLegalUnitResponse"), declared(OUTER_SCHEMA))
    SCHEMA.validate(written({"GetLegalUnitResponse": {"LegalUnit": company(row, 7)}}))


@settings(max_examples=50, deadline=None)
@given(row=_rows("cvr.production_units", UNIT, "p_number"))
def test_whatever_a_unit_holds_the_answer_fits_the_types(row: dict[str, Any]) -> None:
    written = WRITER.element(Name(OUTER, "GetProductionUnitResponse"), declared(OUTER_SCHEMA))
    SCHEMA.validate(written({"GetProductionUnitResponse": {"ProductionUnit": unit(row, 7)}}))
