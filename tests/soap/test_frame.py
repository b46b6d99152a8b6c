"""The frame of SOAP: one road with REST, contexts to one grant, faults, both versions, the ledger before the answer."""

import json
import re
from uuid import UUID

import pytest
from lxml import etree

from kernel import CallAnswered, CallRefused, Channel, Operation
from schemas import SOAP_INTERFACES
from tests.api.house import AALBORG, ANNA, NOBODY, ODENSE, Client
from tests.soap.post import (
    DEMO,
    DEMO_PATH,
    DEMO_UUID,
    FAULT,
    PERSON,
    PERSON_PATH,
    PERSON_UUID,
    SOAP_12,
    Office,
    answer_of,
    ask_person,
    authority,
    call_context,
    demo_request,
    enveloped,
    fault_of,
    person_request,
    post,
)
from usage import LedgerUnavailable, subject_hash


def demo(client: Client, body: str | None = None) -> str:
    answer = answer_of(post(client, DEMO_PATH, body or demo_request()))
    return str(answer.findtext(f"{{{DEMO}}}responseString"))


class TestDemo:
    def test_what_is_sent_comes_back(self, client: Client) -> None:
        assert demo(client, demo_request("Hej æøå &lt;&amp;")) == "Hej æøå <&"

    def test_the_call_is_on_record_as_soap_under_the_agreement(self, office: Office, client: Client) -> None:
        demo(client)
        fact = office.house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.channel, fact.service, fact.operation) == (Channel.SOAP, "demo-service", Operation.CALL)
        assert (fact.agreement, fact.municipality_cvr, fact.status) == (office.agreement, AALBORG, 200)

    def test_a_system_without_an_agreement_is_refused(self, office: Office) -> None:
        client = Client(office.house, office.port, "narrow")
        context = authority(ODENSE)
        fault = fault_of(post(client, f"{PERSON_PATH}5", person_request(context=context)))
        assert fault.error == "agreement_missing"
        client.close()

    def test_in_the_test_environment_the_demo_service_needs_none(self, office: Office) -> None:
        client = Client(office.house, office.port, "lonely")
        assert demo(client) == "hej"
        client.close()

    def test_without_a_certificate_there_is_a_fault_and_no_answer(self, office: Office) -> None:
        client = Client(office.house, office.port, None)
        assert fault_of(post(client, DEMO_PATH, demo_request())).error == "certificate_missing"
        client.close()

    def test_a_request_without_its_text_is_told_what_is_missing(self, client: Client) -> None:
        body = f'<d:CallDemoServiceRequest xmlns:d="{DEMO}">{authority()}</d:CallDemoServiceRequest>'
        fault = fault_of(post(client, DEMO_PATH, body))
        assert (fault.code, fault.error) == ("soap:Client", "soap_payload_invalid")
        assert "messageString" in fault.text

    def test_the_services_descriptors_name_every_interface(self) -> None:
        from api.soap.faces import ESTABLISHED

        assert ESTABLISHED.keys() == SOAP_INTERFACES.keys()


class TestContexts:
    @pytest.mark.parametrize("kind", ["authority", "invocation", "both"])
    def test_each_way_to_name_the_agreement_leads_to_the_same_grant(
        self, office: Office, client: Client, kind: str
    ) -> None:
        invocation = office.invocation(DEMO_UUID)
        context = {"authority": authority(), "invocation": invocation, "both": authority() + invocation}[kind]
        demo(client, demo_request(context=context))
        fact = office.house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert fact.agreement == office.agreement

    def test_no_context_is_the_established_fault(self, client: Client) -> None:
        fault = fault_of(post(client, DEMO_PATH, demo_request(context=call_context(AccountingInfo="x"))))
        assert fault.text.splitlines()[0] == (
            "Security model for the called operation was not provided. "
            "The following are supported: [KombitToken, AuthorityContext]"
        )

    def test_another_municipality_than_any_agreements_is_refused(self, client: Client) -> None:
        fault = fault_of(post(client, f"{PERSON_PATH}5", person_request(context=authority(ODENSE))))
        assert fault.error == "agreement_missing"

    @pytest.mark.parametrize(
        ("part", "value", "code"),
        [
            ("ServiceAgreementUUID", "00000000-0000-4000-8000-000000000000", "agreement_foreign"),
            ("ServiceUUID", PERSON_UUID[5], "soap_context_contradicted"),
            ("UserSystemUUID", "00000000-0000-4000-8000-000000000000", "soap_context_contradicted"),
            ("UserUUID", "00000000-0000-4000-8000-000000000000", "soap_context_contradicted"),
            ("UserUUID", "not-a-uuid", "soap_context_invalid"),
            ("Unknown", "x", "soap_context_invalid"),
        ],
    )
    def test_a_context_that_says_something_else_than_the_call_is_refused(
        self, office: Office, client: Client, part: str, value: str, code: str
    ) -> None:
        context = office.invocation(DEMO_UUID, **{part: value})
        assert fault_of(post(client, DEMO_PATH, demo_request(context=context))).error == code
        refused = office.house.refused()
        assert (refused.code, refused.channel) == (code, Channel.SOAP)

    def test_an_agreement_of_another_system_is_nobodys_key(self, office: Office, client: Client) -> None:
        foreign = str(office.house.agreements["narrow"])
        context = office.invocation(PERSON_UUID[5], ServiceAgreementUUID=foreign)
        fault = fault_of(post(client, f"{PERSON_PATH}5", person_request(context=context)))
        assert fault.error == "agreement_foreign"

    def test_both_contexts_about_two_municipalities_are_refused(self, office: Office, client: Client) -> None:
        context = authority(ODENSE) + office.invocation(DEMO_UUID)
        assert fault_of(post(client, DEMO_PATH, demo_request(context=context))).error == "agreement_missing"

    def test_uuids_in_capitals_are_the_same_uuids(self, office: Office, client: Client) -> None:
        context = office.invocation(DEMO_UUID.upper(), ServiceAgreementUUID=office.agreement.upper())
        assert demo(client, demo_request(context=context)) == "hej"


class TestLedger:
    def test_the_end_user_is_a_keyed_hash_and_the_callers_words_are_kept(self, office: Office, client: Client) -> None:
        told = call_context(
            OnBehalfOfUser="sagsbehandler@aalborg.dk",
            CallersServiceCallIdentifier="sag-17",
            AccountingInfo="Konto 4711",
        )
        demo(client, demo_request(context=told + authority()))
        line = _last_line(office)
        assert line["on_behalf_of"] == subject_hash(b"k" * 32, "sagsbehandler@aalborg.dk")
        assert (line["call_id"], line["accounting"]) == ("sag-17", "Konto 4711")
        assert "sagsbehandler" not in json.dumps(line)

    def test_a_personal_number_in_the_callers_words_is_not_kept(self, office: Office, client: Client) -> None:
        told = call_context(AccountingInfo=f"for {ANNA} og 610170-1001")
        demo(client, demo_request(context=told + authority()))
        assert _last_line(office)["accounting"] == "for [number] og [number]"

    def test_the_person_asked_about_is_a_subject(self, office: Office, client: Client) -> None:
        ask_person(client)
        assert _last_line(office)["subjects"] == [subject_hash(b"k" * 32, ANNA)]

    def test_a_refusal_says_what_the_caller_told(self, office: Office, client: Client) -> None:
        told = call_context(CallersServiceCallIdentifier="sag-18")
        fault_of(post(client, f"{PERSON_PATH}5", person_request(context=told + authority(ODENSE))))
        line = _last_line(office)
        assert (line["kind"], line["call_id"]) == ("refused", "sag-18")

    @pytest.mark.parametrize("failing", [OSError("disk"), LedgerUnavailable("no", remedy="")])
    def test_nothing_leaves_that_cannot_be_put_on_record(
        self, office: Office, client: Client, failing: Exception
    ) -> None:
        office.house.failing = failing
        reply = ask_person(client)
        fault = fault_of(reply)
        assert fault.code == "soap:Server"
        assert "Anna" not in reply.body.decode()

    def test_an_end_user_of_more_than_255_characters_is_refused(self, client: Client) -> None:
        told = call_context(OnBehalfOfUser="x" * 256)
        assert (
            fault_of(post(client, DEMO_PATH, demo_request(context=told + authority()))).error == "soap_context_invalid"
        )


class TestFaults:
    def test_an_unknown_person_is_the_text_that_clients_compare(self, office: Office, client: Client) -> None:
        fault = fault_of(ask_person(client, NOBODY))
        assert (fault.text, fault.error_text, fault.code) == ("PNR not found", "PNR not found", "soap:Server")
        fact = office.house.facts[-1]
        assert isinstance(fact, CallAnswered)
        assert (fact.status, fact.keys, fact.rows) == (404, 1, 0)

    def test_every_other_fault_ends_with_the_calls_number_and_time(self, office: Office, client: Client) -> None:
        reply = post(client, DEMO_PATH, demo_request(context=""))
        fault = fault_of(reply)
        assert fault.text == fault.error_text
        *_, call, received = fault.text.splitlines()
        assert UUID(call.removeprefix("CallUUID: ")).hex == reply.headers["knudepunkt-trace"]
        assert office.house.refused().trace == reply.headers["knudepunkt-trace"]
        assert re.fullmatch(r"Received: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", received)

    def test_a_key_of_the_wrong_shape_is_the_callers_mistake_and_is_not_repeated(self, client: Client) -> None:
        reply = ask_person(client, "12345678AB")
        assert fault_of(reply).error == "key_invalid"
        assert "12345678AB" not in reply.body.decode()

    def test_a_fault_of_ours_says_nothing_of_why(
        self, office: Office, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise ZeroDivisionError(ANNA)

        monkeypatch.setattr("api.soap.established.person.person_answer", broken)
        fault = fault_of(ask_person(client))
        assert (fault.code, fault.text.splitlines()[0]) == ("soap:Server", "Unexpected Error")
        refused = office.house.facts[-1]
        assert isinstance(refused, CallRefused)
        assert refused.code == "house_fault"

    def test_an_element_of_another_service_is_no_operation_here(self, client: Client) -> None:
        assert fault_of(post(client, DEMO_PATH, person_request())).error == "soap_operation_unknown"

    def test_an_agreement_without_what_the_type_needs_is_told_so(self, office: Office) -> None:
        client = Client(office.house, office.port, "narrow")
        fault = fault_of(ask_person(client, version=4))
        client.close()
        assert fault.error == "soap_answer_not_possible"
        assert "children" in fault.text


class TestVersion12:
    def test_it_is_answered_in_its_own_form(self, client: Client) -> None:
        body = enveloped(demo_request(), namespace=SOAP_12)
        reply = post(client, DEMO_PATH, body, Content_Type="application/soap+xml; charset=utf-8")
        assert (reply.status, reply.headers["content-type"]) == (200, "application/soap+xml; charset=utf-8")
        assert etree.fromstring(reply.body).tag == f"{{{SOAP_12}}}Envelope"

    def test_its_faults_have_code_reason_and_detail(self, client: Client) -> None:
        body = enveloped(demo_request(context=""), namespace=SOAP_12)
        reply = post(client, DEMO_PATH, body, Content_Type="application/soap+xml")
        fault = etree.fromstring(reply.body).find(f".//{{{SOAP_12}}}Fault")
        assert reply.status == 400
        assert fault.findtext(f"{{{SOAP_12}}}Code/{{{SOAP_12}}}Value") == "soap:Sender"
        assert "Security model" in fault.findtext(f"{{{SOAP_12}}}Reason/{{{SOAP_12}}}Text")
        assert fault.find(f"{{{SOAP_12}}}Detail/{{{FAULT}}}ServiceplatformFault") is not None

    def test_what_cannot_be_read_is_refused_in_the_version_that_its_type_says(self, client: Client) -> None:
        reply = post(client, DEMO_PATH, b"<no", Content_Type="application/soap+xml")
        assert etree.fromstring(reply.body).tag == f"{{{SOAP_12}}}Envelope"


class TestHttp:
    def test_limits_are_told_as_over_rest(self, client: Client) -> None:
        reply = post(client, f"{PERSON_PATH}5", person_request(namespace=PERSON))
        assert reply.headers["cache-control"] == "no-store"
        assert int(reply.headers["knudepunkt-snapshot"]) > 0

    def test_a_get_without_wsdl_says_where_it_is(self, client: Client) -> None:
        reply = client.get(DEMO_PATH)
        assert reply.status == 400
        assert "?wsdl" in reply.json["remedy"]

    def test_a_compressed_body_is_refused(self, client: Client) -> None:
        reply = post(client, DEMO_PATH, demo_request(), Content_Encoding="gzip")
        assert fault_of(reply).error == "media_type_unsupported"


def _last_line(office: Office) -> dict[str, object]:
    """The newest event in the ledger's open file."""
    (file,) = (office.house.root / "ledger" / "open").glob("*.jsonl")
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return next(line for line in reversed(lines) if "event" in line)
