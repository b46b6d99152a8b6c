"""Who may call: each refusal has its status and code, and stands in the ledger before the caller hears of it."""

import http.client
import socket
import ssl
import time

import pytest

from control import ServiceTerms
from kernel import CallRefused
from tests.api.conftest import Connect
from tests.api.house import AALBORG, ANNA, ODENSE, Client, House, Reply
from usage import verify


class TestWithoutAnAgreementNoData:
    @pytest.mark.parametrize(
        ("certificate", "status", "code"),
        [
            (None, 401, "certificate_missing"),
            ("expired", 401, "certificate_expired"),
            ("tomorrow", 401, "certificate_not_yet_valid"),
            ("unbound", 401, "certificate_unknown"),
            ("lonely", 403, "agreement_missing"),
            ("both", 400, "agreement_ambiguous"),
        ],
    )
    def test_the_refusal_has_its_status_and_code_and_says_what_to_do(
        self, house: House, connect: Connect, certificate: str | None, status: int, code: str
    ) -> None:
        reply = connect(certificate).lookup("municipalities", {"key": "0851"})
        assert (reply.status, reply.code) == (status, code)
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.json["remedy"]
        refused = house.refused()
        assert (refused.status, refused.code, refused.service) == (status, code, "municipalities")
        assert reply.json["instance"] == f"urn:trace:{refused.trace}"

    def test_a_certificate_of_another_authority_ends_the_handshake_and_is_on_record(
        self, house: House, connect: Connect
    ) -> None:
        with pytest.raises((ssl.SSLError, http.client.RemoteDisconnected, ConnectionResetError)):
            connect("stranger").lookup("municipalities", {"key": "0851"})
        refused = house.refused()
        assert (refused.status, refused.code) == (401, "certificate_untrusted")
        assert refused.system is None

    def test_another_systems_agreement_is_refused(self, house: House, connect: Connect) -> None:
        foreign = house.agreements["two"]
        reply = connect("one").lookup("cpr-persons", {"key": ANNA}, Knudepunkt_Agreement=foreign)
        assert (reply.status, reply.code) == (403, "agreement_foreign")
        assert house.refused().system == house.systems["one"]

    def test_an_agreement_that_does_not_cover_the_service_is_refused(self, house: House, connect: Connect) -> None:
        reply = connect("two").lookup("municipalities", {"key": "0851"}, Knudepunkt_Agreement=house.agreements["two"])
        assert (reply.status, reply.code) == (403, "agreement_missing")

    def test_a_revocation_ends_calls_on_a_connection_that_is_open(self, house: House, connect: Connect) -> None:
        house.add_system("doomed")
        house.agree("doomed", "doomed", ODENSE, {"municipalities": ServiceTerms()})
        client = connect("doomed")
        assert _soon(client, 200).status == 200
        fingerprint = house.fingerprint("doomed")
        house.control.revoke_certificate(fingerprint)
        assert _soon(client, 401).code == "certificate_revoked"

    def test_the_ledger_is_whole_after_all_that(self, house: House) -> None:
        assert not verify(house.root / "ledger", house.root / "usage")


class TestWhichAgreement:
    def test_the_only_one_needs_no_name(self, client: Client) -> None:
        assert client.lookup("municipalities", {"key": "0851"}).status == 200

    def test_it_may_be_named(self, house: House, client: Client) -> None:
        named = house.agreements["one"]
        assert client.lookup("municipalities", {"key": "0851"}, Knudepunkt_Agreement=named).status == 200
        assert client.lookup("municipalities", {"key": "0851"}, Knudepunkt_Agreement=f'"{named.upper()}"').status == 200

    @pytest.mark.parametrize("municipality", [AALBORG, ODENSE])
    def test_of_several_the_municipality_names_one(self, house: House, connect: Connect, municipality: str) -> None:
        reply = connect("both").lookup("municipalities", {"key": "0851"}, Knudepunkt_Municipality=municipality)
        assert reply.status == 200
        assert getattr(house.facts[-1], "municipality_cvr", None) == municipality

    @pytest.mark.parametrize(
        "header",
        [{"Knudepunkt_Agreement": "mine"}, {"Knudepunkt_Municipality": "Aalborg"}, {"Knudepunkt_Agreement": ""}],
    )
    def test_a_name_that_cannot_be_one_is_refused_by_its_header(self, client: Client, header: dict[str, str]) -> None:
        reply = client.lookup("municipalities", {"key": "0851"}, **header)
        assert (reply.status, reply.code) == (400, "header_invalid")
        assert next(iter(header)).replace("_", "-") in reply.json["detail"]


class TestTheHandshake:
    def test_tls_older_than_1_2_is_refused(self, house: House, connect: Connect) -> None:
        client = connect("one")
        context = house.context("one")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionResetError, OSError)):
            http.client.HTTPSConnection("localhost", client.port, context=context, timeout=60).request("GET", "/")

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_session_is_never_resumed_past_the_check_of_the_certificate(
        self, house: House, connect: Connect, version: ssl.TLSVersion
    ) -> None:
        client = connect("one")
        context = house.context("one")
        context.maximum_version = context.minimum_version = version
        first = _handshake(context, client.port, None)
        assert not _handshake(context, client.port, first.session).session_reused

    def test_a_message_that_is_not_tls_harms_nobody(self, house: House, client: Client) -> None:
        with socket.create_connection(("127.0.0.1", client.port), timeout=60) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert b"HTTP" not in plain.recv(4096)
        assert client.get("/health/live").status == 200
        assert not [fact for fact in house.facts if isinstance(fact, CallRefused)]


def _soon(client: Client, status: int) -> Reply:
    """The reply of that status, once the policy was read anew; when nothing of the kind comes, the last reply."""
    deadline = time.monotonic() + 60
    while (reply := client.lookup("municipalities", {"key": "0851"})).status != status and time.monotonic() < deadline:
        time.sleep(0.05)
    return reply


def _handshake(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> ssl.SSLSocket:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as raw,
        context.wrap_socket(raw, server_hostname="localhost", session=session) as secured,
    ):
        secured.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        while secured.recv(4096):
            pass
        return secured
