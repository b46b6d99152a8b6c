"""Messages that would like to read, fetch, exhaust or deceive. Each is refused with a fault, and on record."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.house import AALBORG, ANNA, ODENSE, Client
from tests.soap.post import (
    DEMO,
    DEMO_PATH,
    DEMO_UUID,
    PERSON,
    PERSON_PATH,
    SOAP_11,
    SOAP_12,
    Office,
    answer_of,
    authority,
    call_context,
    demo_request,
    enveloped,
    fault_of,
    person_request,
    post,
)

SECRET = "hemmelig-4711"
GOOD = enveloped(demo_request("hej"))
DSIG = "http://www.w3.org/2000/09/xmldsig#"
WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


def typed(declarations: str, text: str = "&x;", root: str = "s:Envelope") -> str:
    """A message with a document type."""
    return f"<!DOCTYPE {root} [{declarations}]>{enveloped(demo_request(text))}"


def laughs(depth: int = 9) -> str:
    entities = ['<!ENTITY a0 "ha">'] + [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, depth)]
    return typed("".join(entities), f"&a{depth - 1};")


def within_demo(text: str) -> str:
    return enveloped(demo_request(text))


def attributes(count: int) -> str:
    return " ".join(f'a{number}="x"' for number in range(count))


def namespaces(count: int) -> str:
    return " ".join(f'xmlns:n{number}="urn:{number}"' for number in range(count))


def signed(inside: str = "") -> str:
    return f'<w:Security xmlns:w="{WSSE}"><d:Signature xmlns:d="{DSIG}">{inside}</d:Signature></w:Security>'


REFUSED: dict[str, tuple[str | bytes, str]] = {
    # name: (message, code of the refusal)
    "billion_laughs": (laughs(), "soap_message_invalid"),
    "quadratic_blowup": (typed(f'<!ENTITY x "{"a" * 50_000}">', "&x;" * 1_000), "soap_message_invalid"),
    "one_internal_entity": (typed('<!ENTITY x "hej">'), "soap_message_invalid"),
    "external_entity_from_a_file": (typed('<!ENTITY x SYSTEM "file:///etc/passwd">'), "soap_message_invalid"),
    "external_entity_from_the_network": (typed('<!ENTITY x SYSTEM "http://127.0.0.1:1/x">'), "soap_message_invalid"),
    "external_entity_by_public_id": (typed('<!ENTITY x PUBLIC "-//x" "file:///etc/hosts">'), "soap_message_invalid"),
    "parameter_entity": (typed('<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;', "hej"), "soap_message_invalid"),
    "parameter_entity_that_declares_another": (
        typed("<!ENTITY % y \"<!ENTITY x SYSTEM 'file:///etc/passwd'>\"> %y;"), "soap_message_invalid",
    ),
    "external_document_type": (f'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd">{GOOD}', "soap_message_invalid"),
    "empty_document_type": (f"<!DOCTYPE x>{GOOD}", "soap_message_invalid"),
    "document_type_in_small_letters": (f"<!doctype x>{GOOD}", "soap_message_invalid"),
    "default_attributes_by_document_type": (
        typed('<!ATTLIST d:messageString x CDATA "y">', "hej"), "soap_message_invalid",
    ),
    "entity_in_an_attribute": (
        '<!DOCTYPE x [<!ENTITY x "y">]>' + GOOD.replace("<s:Body>", "<s:Body a='&x;'>"), "soap_message_invalid",
    ),
    "entity_nobody_declared": (within_demo("&x;"), "soap_message_invalid"),
    "document_type_behind_utf_16": (laughs().encode("utf-16"), "soap_message_invalid"),
    "document_type_behind_utf_16_without_a_mark": (laughs().encode("utf-16-le"), "soap_message_invalid"),
    "utf_32": (GOOD.encode("utf-32"), "soap_message_invalid"),
    "utf_7": ('<?xml version="1.0" encoding="UTF-7"?>' + GOOD, "soap_message_invalid"),
    "ebcdic": (('<?xml version="1.0" encoding="cp037"?>' + GOOD).encode("cp037"), "soap_message_invalid"),
    "an_encoding_that_runs_code": ('<?xml version="1.0" encoding="rot13"?>' + GOOD, "soap_message_invalid"),
    "bytes_that_are_not_the_encoding_said": (
        b'<?xml version="1.0" encoding="utf-8"?>' + within_demo("\u00e6").encode("iso-8859-1"), "soap_message_invalid",
    ),
    "a_zero_byte": (GOOD.replace("hej", "h\0j"), "soap_message_invalid"),
    "a_character_that_xml_does_not_have": (within_demo("&#0;"), "soap_message_invalid"),
    "half_a_message": (GOOD[:-20], "soap_message_invalid"),
    "nothing": ("", "soap_message_invalid"),
    "json": ('{"key": "1"}', "soap_message_invalid"),
    "two_documents": (GOOD + GOOD, "soap_message_invalid"),
    "instruction_before_the_message": (f'<?xml-stylesheet href="http://127.0.0.1:1/x"?>{GOOD}', "soap_message_invalid"),
    "instruction_within_the_message": (within_demo("a<?php x ?>b"), "soap_message_invalid"),
    "instruction_after_the_message": (f"{GOOD}<?x y?>", "soap_message_invalid"),
    "depth_of_300": (within_demo("<a>" * 300 + "</a>" * 300), "soap_message_invalid"),
    "depth_of_100": (within_demo("<a>" * 100 + "</a>" * 100), "MessageTooLarge"),
    "forty_thousand_elements": (within_demo("<a/>" * 40_001), "MessageTooLarge"),
    "twenty_thousand_attributes": (within_demo(f"<a {attributes(20_001)}/>"), "MessageTooLarge"),
    "a_hundred_attributes_of_one_element": (within_demo(f"<a {attributes(100)}/>"), "MessageTooLarge"),
    "the_same_attribute_twice": (within_demo('<a b="1" b="2"/>'), "soap_message_invalid"),
    "five_hundred_namespaces": (within_demo(f"<a {namespaces(501)}/>"), "MessageTooLarge"),
    "a_name_of_a_thousand_letters": (within_demo(f"<{'a' * 1_000}/>"), "MessageTooLarge"),
    "a_name_of_a_hundred_thousand_letters": (within_demo(f"<{'a' * 100_000}/>"), "soap_message_invalid"),
    "an_attribute_of_a_thousand_letters": (within_demo(f'<a {"b" * 1_000}="1"/>'), "MessageTooLarge"),
    "a_prefix_that_nobody_declared": (GOOD.replace("d:messageString", "q:messageString"), "soap_message_invalid"),
    "xinclude_of_a_file": (
        within_demo('<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd" parse="text"/>'),
        "soap_payload_invalid",
    ),
    "an_attachment_by_reference": (
        within_demo('<x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:1"/>'),
        "soap_message_invalid",
    ),
    "elements_where_text_belongs": (within_demo("<b>hej</b>"), "soap_payload_invalid"),
    "two_bodies": (GOOD.replace("</s:Envelope>", "<s:Body/></s:Envelope>"), "soap_envelope_invalid"),
    "two_requests_in_one_body": (enveloped(demo_request() + demo_request()), "soap_envelope_invalid"),
    "an_empty_body": (enveloped(""), "soap_envelope_invalid"),
    "text_beside_the_request": (enveloped(f"hej{demo_request()}"), "soap_envelope_invalid"),
    "a_header_after_the_body": (GOOD.replace("</s:Envelope>", "<s:Header/></s:Envelope>"), "soap_envelope_invalid"),
    "an_element_beside_the_body": (GOOD.replace("</s:Envelope>", "<x/></s:Envelope>"), "soap_envelope_invalid"),
    "no_envelope": (demo_request() + " ", "soap_envelope_invalid"),
    "an_envelope_of_no_version": (enveloped(demo_request(), namespace="urn:soap"), "soap_envelope_invalid"),
    "a_body_of_the_other_version": (
        GOOD.replace("<s:Body>", f'<t:Body xmlns:t="{SOAP_12}">').replace("</s:Body>", "</t:Body>"),
        "soap_envelope_invalid",
    ),
    "an_envelope_in_an_envelope": (enveloped(GOOD), "soap_operation_unknown"),
    "a_wrapped_signature_with_the_signed_body_in_the_header": (
        enveloped(demo_request("forged"), header=signed(f"<o>{demo_request('genuine')}</o>")),
        "soap_header_not_understood",
    ),
    "a_signature_that_nobody_verifies": (enveloped(demo_request(), header=signed()), "soap_header_not_understood"),
    "security_that_must_be_understood": (
        enveloped(demo_request(), header=f'<w:Security xmlns:w="{WSSE}" s:mustUnderstand="1"/>'),
        "soap_header_not_understood",
    ),
    "two_authority_contexts": (
        enveloped(demo_request(context=authority(AALBORG) + authority(ODENSE))), "soap_context_invalid",
    ),
    "two_municipalities_in_one_context": (
        GOOD.replace("</a:AuthorityContext>", f"<MunicipalityCVR>{ODENSE}</MunicipalityCVR></a:AuthorityContext>"),
        "soap_context_invalid",
    ),
    "two_call_contexts": (
        enveloped(demo_request(context=call_context(AccountingInfo="1") * 2 + authority())), "soap_context_invalid",
    ),
    "elements_in_a_municipality": (
        GOOD.replace(AALBORG, f"<x>{AALBORG}</x>"), "soap_context_invalid",
    ),
    "a_municipality_that_is_sql": (enveloped(demo_request(context=authority("' OR 1=1 --"))), "soap_context_invalid"),
    "an_unknown_element_in_a_context": (
        GOOD.replace("<a:MunicipalityCVR>", "<a:Operator>true</a:Operator><a:MunicipalityCVR>"), "soap_context_invalid",
    ),
    "a_context_in_the_header_alone": (
        enveloped(demo_request(context=""), header=authority()), "soap_context_missing",
    ),
    "two_texts": (
        enveloped(demo_request("a</d:messageString><d:messageString>b")), "soap_payload_invalid",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(office: Office, client: Client, name: str) -> None:
    message, code = REFUSED[name]
    data = message.encode() if isinstance(message, str) else message
    reply = post(client, DEMO_PATH, data, Content_Type="text/xml")
    assert fault_of(reply).error == code
    assert "root:" not in reply.body.decode()
    refused = office.house.refused()
    assert refused.code == {"MessageTooLarge": "soap_message_too_large"}.get(code, code)


def test_more_than_ten_megabytes_is_the_established_fault(client: Client) -> None:
    reply = post(client, DEMO_PATH, GOOD.encode() + b" " * (10 * 1024 * 1024))
    fault = fault_of(reply)
    assert fault.error == "MessageTooLarge"
    assert fault.text.splitlines()[0] == "The request was larger than 10 mb and therefore rejected"


@pytest.mark.parametrize("kind", ['multipart/related; type="application/xop+xml"; boundary=x', "multipart/form-data"])
def test_attachments_are_refused(client: Client, kind: str) -> None:
    assert fault_of(post(client, DEMO_PATH, GOOD, Content_Type=kind)).error == "soap_message_invalid"


def test_two_numbers_are_no_lookup_of_either(office: Office, client: Client) -> None:
    body = person_request().replace("</p:PersonLookupRequest>", f"<PNR>{ANNA}</PNR></p:PersonLookupRequest>")
    assert fault_of(post(client, f"{PERSON_PATH}5", body)).error == "soap_payload_invalid"


def test_a_comment_does_not_split_a_number_into_another(client: Client) -> None:
    body = person_request(f"{ANNA[:6]}<!-- -->{ANNA[6:]}")
    answer = answer_of(post(client, f"{PERSON_PATH}5", body))
    assert answer.findtext(f".//{{{PERSON}}}personnummer") == ANNA


def test_a_comment_does_not_cut_a_municipality_off(client: Client) -> None:
    body = demo_request(context=authority(f"{AALBORG}<!-- -->1"))
    assert fault_of(post(client, DEMO_PATH, body)).error == "soap_context_invalid"


def test_a_document_type_in_cdata_is_text_and_yet_not_taken(client: Client) -> None:
    """Whoever tells the two apart by text alone tells them apart wrongly; nobody needs it."""
    assert fault_of(post(client, DEMO_PATH, demo_request("<![CDATA[<!DOCTYPE x>]]>"))).error == "soap_message_invalid"


def test_markup_that_is_sent_comes_back_as_text(client: Client) -> None:
    reply = post(client, DEMO_PATH, demo_request("&lt;/ns3:responseString&gt;&lt;x a=&quot;b&quot;/&gt;"))
    assert answer_of(reply).findtext(f"{{{DEMO}}}responseString") == '</ns3:responseString><x a="b"/>'


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bool]]]:
    """A server that notices whether anybody came."""
    came: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        stop = threading.Event()

        def listen() -> None:
            while not stop.is_set():
                try:
                    server.accept()[0].close()
                    came.append(True)
                except TimeoutError:
                    continue

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], came
        stop.set()
        thread.join()


@pytest.mark.parametrize(
    "attack", ["schema_location", "no_namespace_schema_location", "external_entity", "stylesheet", "xinclude", "wsa"]
)
def test_nothing_is_fetched_whatever_a_message_says(
    client: Client, listener: tuple[int, list[bool]], attack: str
) -> None:
    port, came = listener
    url = f"http://127.0.0.1:{port}/x"
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    wsa = "http://www.w3.org/2005/08/addressing"
    message = {
        "schema_location": GOOD.replace("<s:Body>", f'<s:Body {xsi} xsi:schemaLocation="{DEMO} {url}">'),
        "no_namespace_schema_location": GOOD.replace(
            "<s:Body>", f'<s:Body {xsi} xsi:noNamespaceSchemaLocation="{url}">'
        ),
        "external_entity": typed(f'<!ENTITY x SYSTEM "{url}">'),
        "stylesheet": f'<?xml-stylesheet href="{url}"?>{GOOD}',
        "xinclude": within_demo(f'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="{url}"/>'),
        "wsa": enveloped(demo_request(), header=f'<w:ReplyTo xmlns:w="{wsa}"><w:Address>{url}</w:Address></w:ReplyTo>'),
    }[attack]
    reply = post(client, DEMO_PATH, message)
    assert reply.status in {200, 500}
    assert not came


def test_a_forged_host_does_not_get_into_the_wsdl(client: Client) -> None:
    reply = client.call("GET", f"{DEMO_PATH}?wsdl", headers={"Host": 'x"><script>'})
    assert reply.status == 400
    assert b"script" not in reply.body


@pytest.mark.parametrize("name", ["../../etc/passwd", "DemoServiceMsg.xsd/..", "file:///etc/passwd", ""])
def test_only_schemas_of_the_service_are_handed_out(client: Client, name: str) -> None:
    assert client.get(f"{DEMO_PATH}?xsd={name}").status == 400


def test_an_identity_in_the_message_counts_for_nothing(office: Office) -> None:
    """The certificate decides: another system's words about `soapy` open nothing."""
    client = Client(office.house, office.port, "narrow")
    fault = fault_of(post(client, DEMO_PATH, demo_request(context=office.invocation(DEMO_UUID))))
    client.close()
    assert fault.error == "soap_context_contradicted"


def test_no_secret_of_a_message_gets_into_a_log_or_a_fault(
    office: Office, client: Client, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for message in (f"<{SECRET}", within_demo(f"<{SECRET}/>"), enveloped(f"<{SECRET}/>"), person_request(SECRET)):
        reply = post(client, DEMO_PATH if "PersonLookup" not in message else f"{PERSON_PATH}5", message)
        assert SECRET not in reply.body.decode()
    assert SECRET not in "".join(capfd.readouterr())
    for file in (office.house.root / "ledger").rglob("*.jsonl"):
        assert SECRET not in file.read_text(encoding="utf-8")


def test_the_envelope_namespace_of_faults_is_that_of_1_1_when_nothing_tells(client: Client) -> None:
    assert SOAP_11.encode() in post(client, DEMO_PATH, "<no").body
