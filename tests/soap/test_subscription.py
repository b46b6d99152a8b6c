"""CprSubscription 1: a circle of persons over SOAP, in the words and prefixes that its clients read."""

import re
from typing import Any

import pytest
from lxml import etree

from api.soap.established.subscription import CHANGES, NAMESPACE, SCHEMA
from tests.api.house import ANNA, NOBODY, Client
from tests.soap.post import AUTHORITY, PNR, Office, answer_of, authority, fault_of, post
from tests.soap.types import types_of

PATH = "/service/CPRSubscription/CPRSubscription/1/"
UUID = "9cdccc2f-3243-11e2-8fef-d4bed98c5934"
TYPES = types_of(SCHEMA)
NUMBER = f'<n:PNR xmlns:n="{PNR}">{ANNA}</n:PNR>'
INSIDE = {
    "PNRSubscription": NUMBER, "AgeRangeSubscription": "<AgeRange><StartAge>6</StartAge><EndAge>16</EndAge></AgeRange>",
    "MunicipalityCodeSubscription": "<MunicipalityCode>706</MunicipalityCode>",
    "ChangeCodeSubscription": "<ChangeCode>A01</ChangeCode>", "NoFilterSubscription": "",
}  # fmt: skip


def ask(client: Client, operation: str, inside: str = "", context: str | None = None) -> Any:
    body = f'<{operation} xmlns="{NAMESPACE}">{context or authority()}{inside}</{operation}>'
    return post(client, PATH, body, SOAPAction='""')


def result(client: Client, operation: str, inside: str = "") -> str:
    answer = answer_of(ask(client, operation, inside))
    TYPES.validate(answer)
    return str(answer.findtext(f"{{{NAMESPACE}}}Result"))


@pytest.fixture(autouse=True)
def empty(client: Client) -> None:
    for group in ("PNR", "AgeRange", "MunicipalityCode", "EventChangeCode"):
        result(client, "RemoveAll", f"<FilterGroup>{group}</FilterGroup>")
    result(client, "RemoveNoFilterSubscription")


@pytest.mark.parametrize("what", INSIDE)
def test_added_once_and_removed(client: Client, what: str) -> None:
    assert result(client, f"Add{what}", INSIDE[what]) == "ADDED"
    assert result(client, f"Add{what}", INSIDE[what]) == "ALREADY_EXISTED"
    assert result(client, f"Remove{what}", INSIDE[what]) == "REMOVED"


def test_a_number_of_nobody_is_told(client: Client) -> None:
    assert result(client, "AddPNRSubscription", NUMBER.replace(ANNA, NOBODY)) == "NON_EXISTING_PNR"


def test_all_filters_with_codes_without_zeros(client: Client) -> None:
    for what, inside in INSIDE.items():
        result(client, f"Add{what}", inside)
    answer = answer_of(ask(client, "GetAllFilters"))
    TYPES.validate(answer)
    assert [etree.QName(each).localname for each in answer] == [
        "AgeRange", "ChangeCode", "MunicipalityCode", "PNR", "noFilter",
    ]  # fmt: skip
    assert [each.text for each in answer[1:]] == ["A01", "706", ANNA, "true"]
    assert [each.text for each in answer[0]] == ["6", "16"]


def test_the_prefixes_are_those_that_clients_read_by(client: Client) -> None:
    result(client, "AddPNRSubscription", NUMBER)
    text = ask(client, "GetAllFilters").body.decode()
    assert re.search(r'<soap:Envelope .*<soap:Body><ns3:GetAllFiltersResponse xmlns="[^"]*/InvocationContext/1/"', text)
    assert f"<ns2:PNR>{ANNA}</ns2:PNR>" in text
    assert "<ns3:Result>" in ask(client, "AddPNRSubscription", NUMBER).body.decode()


def test_invocation_context_with_its_children_in_the_namespace_of_the_number(office: Office, client: Client) -> None:
    context = re.sub(r'xmlns="[^"]*"', f'xmlns="{PNR}"', office.invocation(UUID))
    assert answer_of(ask(client, "AddPNRSubscription", NUMBER, context)).findtext(f"{{{NAMESPACE}}}Result") == "ADDED"


def test_what_is_no_filter_is_refused(client: Client) -> None:
    for operation, inside in (
        ("AddPNRSubscription", ""),
        ("AddPNRSubscription", "<PNR>12</PNR>"),
        ("AddAgeRangeSubscription", "<AgeRange><StartAge>9</StartAge><EndAge>1</EndAge></AgeRange>"),
        ("AddAgeRangeSubscription", "<AgeRange><StartAge>9</StartAge></AgeRange>"),
        ("AddChangeCodeSubscription", "<ChangeCode>A0001</ChangeCode>"),
        ("RemoveAll", "<FilterGroup>Everybody</FilterGroup>"),
    ):
        assert fault_of(ask(client, operation, inside)).code == "soap:Client"


def test_numbers_are_on_record_as_subjects(office: Office, client: Client) -> None:
    result(client, "AddPNRSubscription", NUMBER)
    assert office.house.facts[-1].subjects == (ANNA,)  # type: ignore[union-attr]


def test_the_wsdl_has_every_operation_and_empty_actions(client: Client) -> None:
    root = etree.fromstring(client.get(f"{PATH}?wsdl").body)
    space = "http://schemas.xmlsoap.org/wsdl/"
    names = [each.get("name") for each in root.iterfind(f"{{{space}}}portType/{{{space}}}operation")]
    assert names == [*CHANGES, "RemoveAll", "GetAllFilters"]
    actions = {each.get("soapAction") for each in root.iter("{http://schemas.xmlsoap.org/wsdl/soap/}operation")}
    assert actions == {""}


def test_a_system_without_an_agreement_learns_nothing(office: Office) -> None:
    client = Client(office.house, office.port, "narrow")
    assert fault_of(ask(client, "GetAllFilters")).error == "agreement_missing"
    client.close()


def test_authority_context_in_any_namespace(client: Client) -> None:
    assert result(client, "AddNoFilterSubscription", "") == "ADDED"
    context = authority().replace(AUTHORITY, NAMESPACE)
    assert ask(client, "RemoveNoFilterSubscription", "", context).status == 200
