"""WSDL and XSD: generated, resolvable, and what the WS-I Basic Profile asks for."""

import re
from urllib.parse import urlsplit

import pytest
from lxml import etree

from tests.api.house import Client
from tests.soap.post import Office
from tests.soap.types import types_in

WSDL = "http://schemas.xmlsoap.org/wsdl/"
SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
XSD = "http://www.w3.org/2001/XMLSchema"


def paths(office: Office) -> list[str]:
    from api.soap.faces import soap_doors

    return sorted(soap_doors(office.house.doors()))


def test_the_catalogue_says_where_a_service_is_called(office: Office, client: Client) -> None:
    entries = client.get("/v1/catalogue").json["services"]
    told = {each["name"]: each["soap"]["path"] for each in entries if each["soap"]}
    assert set(told.values()) == set(paths(office)) - {"/service/CPRSubscription/CPRSubscription/1"}
    assert told["cpr-query-3"] == "/service/CPR/Query/3"
    assert all(client.get(each["soap"]["wsdl"]).status == 200 for each in entries if each["soap"])


def fetched(client: Client, path: str) -> dict[str, bytes]:
    """The WSDL of a path and all schemas that it leads to, by address."""
    found: dict[str, bytes] = {}
    waiting = [f"{path}?wsdl"]
    while waiting:
        place = waiting.pop()
        if place in found:
            continue
        reply = client.get(place)
        assert (reply.status, reply.headers["content-type"]) == (200, "text/xml; charset=utf-8"), place
        found[place] = reply.body
        for each in etree.fromstring(reply.body).iter(f"{{{XSD}}}import"):
            address = urlsplit(each.get("schemaLocation"))
            assert address.scheme == "https"
            waiting.append(f"{address.path}?{address.query}")
    return found


def test_every_address_leads_somewhere_and_every_schema_is_whole(office: Office, client: Client) -> None:
    for path in paths(office):
        wsdl, *schemas = fetched(client, path).items()
        assert etree.fromstring(wsdl[1]).tag == f"{{{WSDL}}}definitions"
        documents = {place.partition("xsd=")[2]: body for place, body in schemas}
        near = {
            name: re.sub(rb'schemaLocation="[^"]*xsd=', b'schemaLocation="', body) for name, body in documents.items()
        }
        for name in near:
            schema = types_in(near, name)
            assert schema.elements or schema.types, name


def test_the_address_is_the_one_that_the_client_calls(office: Office, client: Client) -> None:
    for path in paths(office):
        root = etree.fromstring(client.get(f"{path}?wsdl").body)
        locations = {each.get("location") for each in root.iter(f"{{{SOAP}}}address")}
        assert locations == {f"https://localhost:{office.port}{path}"}


def test_the_basic_profile(office: Office, client: Client) -> None:
    """Document/literal, SOAP over HTTP, one part a message that is an element, distinct requests, known faults."""
    for path in paths(office):
        root = etree.fromstring(client.get(f"{path}?wsdl").body)
        for each in root.iter(f"{{{SOAP}}}binding", f"{{{SOAP}}}operation"):
            assert each.get("style") == "document"
        for each in root.iter(f"{{{SOAP}}}binding"):
            assert each.get("transport") == "http://schemas.xmlsoap.org/soap/http"
        for each in root.iter(f"{{{SOAP}}}body", f"{{{SOAP}}}fault"):
            assert each.get("use") == "literal"
        messages = {each.get("name"): each for each in root.iter(f"{{{WSDL}}}message")}
        for message in messages.values():
            (part,) = message
            assert part.get("element")
            assert part.get("type") is None
        inputs = [each.get("message") for each in root.iter(f"{{{WSDL}}}input") if each.get("message")]
        elements = [messages[name.partition(":")[2]][0].get("element") for name in inputs]
        assert len(set(elements)) == len(elements)
        for binding in root.iter(f"{{{WSDL}}}binding"):
            kind = binding.get("type").partition(":")[2]
            port_type = root.find(f"{{{WSDL}}}portType[@name='{kind}']")
            names = [each.get("name") for each in port_type.iter(f"{{{WSDL}}}operation")]
            assert [each.get("name") for each in binding.iter(f"{{{WSDL}}}operation")] == names


@pytest.mark.parametrize("query", ["wsdl", "WSDL", "singleWsdl"])
def test_clients_ask_for_it_in_different_ways(client: Client, query: str) -> None:
    assert client.get(f"/service/SP/Demo/1?{query}").status == 200


def test_it_is_public_as_the_catalogue_is(office: Office) -> None:
    client = Client(office.house, office.port, None)
    assert client.get("/service/SP/Demo/1?wsdl").status == 200
    client.close()
