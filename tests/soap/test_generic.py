"""Any service that looks records up has a SOAP face, from its contract alone."""

from pathlib import Path

import pytest
from lxml import etree

from api.soap.generic import record_schema
from api.soap.xsd import xsd_document
from schemas import SHIPPED, load_registers
from tests.api.house import AALBORG, ANNA, BENT, NOBODY, Client
from tests.soap.post import ERIK, SOAP_12, Office, answer_of, authority, enveloped, fault_of, post
from tests.soap.types import types_of

PERSONS = "urn:knudepunkt:cpr-persons:1"
PLACES = "urn:knudepunkt:municipalities:1"


def request(namespace: str, *keys: str, columns: tuple[str, ...] = ()) -> str:
    asked = "".join(f"<key>{key}</key>" for key in keys) + "".join(f"<column>{each}</column>" for each in columns)
    return f'<LookupRequest xmlns="{namespace}">{authority()}{asked}</LookupRequest>'


def test_records_and_what_is_missing(office: Office, client: Client) -> None:
    reply = post(client, "/soap/municipalities", request(PLACES, "0851", "0999"))
    answer = answer_of(reply)
    place = answer.find(f"{{{PLACES}}}record/{{{PLACES}}}content")
    assert place.findtext(f"{{{PLACES}}}name") == "Aalborg"
    assert answer.findtext(f"{{{PLACES}}}missing") == "0999"
    assert (office.house.facts[-1].keys, office.house.facts[-1].rows) == (2, 1)  # type: ignore[union-attr]


@pytest.mark.parametrize("keys", [(ANNA, BENT, ERIK), (NOBODY,), (ERIK,)])
def test_answers_fit_the_types_that_the_contract_gives(client: Client, keys: tuple[str, ...]) -> None:
    dataset = next(each for each in load_registers(SHIPPED).datasets if each.id == "cpr.persons")
    answer = answer_of(post(client, "/soap/cpr-persons", request(PERSONS, *keys)))
    types_of(record_schema(PERSONS, dataset)).validate(answer)


def test_protected_columns_are_withheld_and_named(client: Client) -> None:
    reply = post(client, "/soap/cpr-persons", request(PERSONS, BENT))
    assert b"Hemmelig" not in reply.body
    withheld = [each.text for each in answer_of(reply).iter(f"{{{PERSONS}}}withheld")]
    assert {"name", "address", "address_text"} <= set(withheld)


def test_columns_may_be_chosen(client: Client) -> None:
    reply = post(client, "/soap/cpr-persons", request(PERSONS, ANNA, columns=("status",)))
    content = answer_of(reply).find(f"{{{PERSONS}}}record/{{{PERSONS}}}content")
    assert [etree.QName(each).localname for each in content] == ["status"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (request(PERSONS), "soap_payload_invalid"),
        (request(PERSONS, "1"), "key_invalid"),
        (request(PERSONS, ANNA, columns=("shoe_size",)), "column_unknown"),
        (request(PERSONS, *[NOBODY] * 101), "too_many_keys"),
    ],
)
def test_what_is_refused_over_rest_is_refused_here_with_the_same_code(client: Client, body: str, code: str) -> None:
    assert fault_of(post(client, "/soap/cpr-persons", body)).error == code


def test_soap_1_2_is_offered_in_the_wsdl_and_answered(client: Client) -> None:
    wsdl = client.get("/soap/municipalities?wsdl").body
    assert b"http://schemas.xmlsoap.org/wsdl/soap12/" in wsdl
    body = enveloped(request(PLACES, "0851"), namespace=SOAP_12)
    assert post(client, "/soap/municipalities", body, Content_Type="application/soap+xml").status == 200


def test_a_register_that_an_operator_adds_gets_types_without_code(tmp_path: Path) -> None:
    folder = tmp_path / "parking"
    folder.mkdir()
    (folder / "parking.odcs.yaml").write_text(
        """
apiVersion: v3.1.0
kind: DataContract
id: 11111111-2222-4333-8444-555555555555
name: Parking
version: 1.0.0
status: active
schema:
  - name: permits
    logicalType: object
    customProperties: [{property: classification, value: public}]
    properties:
      - {name: plate, logicalType: string, primaryKey: true}
      - {name: price, logicalType: number}
      - {name: paid, logicalType: boolean}
      - name: zones
        logicalType: array
        items:
          logicalType: object
          properties:
            - {name: code, logicalType: integer}
            - {name: streets, logicalType: array, items: {logicalType: string}}
""",
        encoding="utf-8",
    )
    (dataset,) = load_registers(folder).datasets
    types = record_schema("urn:x", dataset)
    assert b'name="streets" type="xsd:string" minOccurs="0" maxOccurs="unbounded"' in xsd_document(types, str)
    assert "LookupResponse" in types_of(types).elements


def test_the_municipality_of_the_context_decides_as_over_rest(client: Client) -> None:
    body = request(PLACES, "0851").replace(AALBORG, "29189846")
    assert fault_of(post(client, "/soap/municipalities", body)).error == "agreement_missing"
