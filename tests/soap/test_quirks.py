"""What real clients send, each a test: lenient in."""

import pytest

from tests.api.house import ANNA, Client
from tests.soap.post import (
    AUTHORITY,
    DEMO,
    DEMO_PATH,
    INVOCATION,
    PERSON,
    PERSON_PATH,
    PERSON_UUID,
    PNR,
    Office,
    answer_of,
    authority,
    call_context,
    demo_request,
    enveloped,
    person_request,
    post,
)


def person(client: Client, body: str | bytes, **headers: str) -> str:
    """The number that a lookup's answer is about."""
    answer = answer_of(post(client, f"{PERSON_PATH}5", body, **headers))
    return str(answer.findtext(f"{{{PERSON}}}persondata/{{{PERSON}}}personnummer"))


def test_authority_context_before_call_context(client: Client) -> None:
    context = authority() + call_context(AccountingInfo="konto")
    assert person(client, person_request(context=context)) == ANNA


def test_iso_8859_1_bytes_without_content_type_soap_action_or_declaration(office: Office, client: Client) -> None:
    body = enveloped(demo_request("blåbærgrød")).encode("iso-8859-1")
    connection = client.connected()
    connection.putrequest("POST", DEMO_PATH)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    assert answer.status == 200
    assert "blåbærgrød" in answer.read().decode("utf-8")


@pytest.mark.parametrize(
    ("content_type", "declaration", "encoding"),
    [
        ("text/xml; charset=ISO-8859-1", "", "iso-8859-1"),
        ("text/xml", '<?xml version="1.0" encoding="ISO-8859-1"?>', "iso-8859-1"),
        ("text/xml; charset=utf-8", '<?xml version="1.0" encoding="ISO-8859-1"?>', "utf-8"),
        ("text/xml; charset=utf-16", "", "utf-16"),
        ("text/xml", '<?xml version="1.0" encoding="windows-1252"?>', "cp1252"),
        ("text/xml", '\ufeff<?xml version="1.0" encoding="utf-8"?>', "utf-8"),
    ],
)
def test_encodings_that_are_said_in_either_place(
    client: Client, content_type: str, declaration: str, encoding: str
) -> None:
    body = (declaration + enveloped(demo_request("smørrebrød"))).encode(encoding)
    answer = answer_of(post(client, DEMO_PATH, body, Content_Type=content_type))
    assert answer.findtext(f"{{{DEMO}}}responseString") == "smørrebrød"


def test_children_of_the_invocation_context_in_the_namespace_of_the_number(office: Office, client: Client) -> None:
    context = office.invocation(PERSON_UUID[5]).replace(f'xmlns="{INVOCATION}"', f'xmlns="{PNR}"')
    assert person(client, person_request(context=context)) == ANNA


def test_the_number_before_the_context_and_children_without_a_prefix(office: Office, client: Client) -> None:
    context = office.invocation(PERSON_UUID[5]).replace(f' xmlns="{INVOCATION}"', "")
    body = f'<p:PersonLookupRequest xmlns:p="{PERSON}"><PNR>{ANNA}</PNR>{context}</p:PersonLookupRequest>'
    assert person(client, body) == ANNA


def test_a_request_without_any_namespace(client: Client) -> None:
    context = "<AuthorityContext><MunicipalityCVR>29189420</MunicipalityCVR></AuthorityContext>"
    assert person(client, f"<PersonLookupRequest>{context}<PNR>{ANNA}</PNR></PersonLookupRequest>") == ANNA


def test_one_namespace_for_everything(client: Client) -> None:
    body = person_request().replace(AUTHORITY, PERSON).replace(PNR, PERSON)
    assert person(client, body) == ANNA


def test_accounting_info_and_on_behalf_of_user_filled(office: Office, client: Client) -> None:
    context = office.invocation(PERSON_UUID[5], OnBehalfOfUser="bruger", AccountingInfo="konto 1")
    assert person(client, person_request(context=context)) == ANNA
    assert office.house.facts[-1].said.accounting == "konto 1"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "action",
    [f"{PERSON}PersonLookup", f"{PERSON.rstrip('/')}_PersonLookup", "", '""', "http://elsewhere/", '"PersonLookup"'],
)
def test_any_soap_action_since_the_body_decides(client: Client, action: str) -> None:
    assert person(client, person_request(), SOAPAction=action) == ANNA


@pytest.mark.parametrize("must", ["0", "1"])
def test_a_ws_addressing_action_of_another_version(client: Client, must: str) -> None:
    wsa, envelope = "http://www.w3.org/2005/08/addressing", "http://schemas.xmlsoap.org/soap/envelope/"
    action = f"{PERSON.replace('/5/', '/2/')}PersonLookup"
    header = f'<w:Action xmlns:w="{wsa}" xmlns:e="{envelope}" e:mustUnderstand="{must}">{action}</w:Action>'
    assert person(client, enveloped(person_request(), header=header)) == ANNA


def test_http_1_1_is_all_that_is_offered(office: Office) -> None:
    import socket

    context = office.house.context("soapy")
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        socket.create_connection(("localhost", office.port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        assert tls.selected_alpn_protocol() in {None, "http/1.1"}


def test_a_message_of_nearly_ten_megabytes(client: Client) -> None:
    body = enveloped(demo_request(f"hej{' ' * 9_900_000}"))
    assert answer_of(post(client, DEMO_PATH, body)).findtext(f"{{{DEMO}}}responseString") == "hej"


def test_a_header_that_need_not_be_understood_is_read_past(client: Client) -> None:
    assert person(client, enveloped(person_request(), header='<x:Note xmlns:x="urn:x">hej</x:Note>')) == ANNA


def test_blanks_and_comments_around_the_number(client: Client) -> None:
    assert person(client, person_request(f"\n  {ANNA} <!-- her -->\n")) == ANNA
