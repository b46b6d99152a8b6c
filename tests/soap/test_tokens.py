"""The token road: a SAML token in, an access token out, and calls that name their municipality with it."""

import warnings
from base64 import b64encode
from datetime import timedelta

import pytest

from kernel import CallAnswered
from tests.api.house import AALBORG, ODENSE, Client
from tests.soap.post import DEMO_PATH, answer_of, authority, demo_request, post
from tests.soap.saml import MUNICIPALITIES_ENTITY, TOKEN_PATH, exchange
from tests.soap.token_office import TokenOffice

with warnings.catch_warnings():
    # The validator's own imports still use names that its dependencies have renamed.
    warnings.simplefilter("ignore", DeprecationWarning)
    from openapi_spec_validator import OpenAPIV31SpecValidator

ASKED = '<LookupRequest xmlns="urn:knudepunkt:municipalities:1">{}<key>0851</key></LookupRequest>'


def test_a_saml_token_gets_an_access_token(tokens: TokenOffice) -> None:
    reply = exchange(tokens.client, tokens.saml())
    assert reply.status == 200, reply.body
    assert reply.json["token_type"] == "Holder-of-key"
    assert 590 <= reply.json["expires_in"] <= 600
    assert reply.headers["cache-control"] == "no-store"


def test_as_base64_in_lines_and_among_other_fields(tokens: TokenOffice) -> None:
    """As the established token service gives it, and as clients pass it on."""
    coded = b64encode(tokens.saml().encode()).decode()
    lines = "\r\n".join(coded[start : start + 76] for start in range(0, len(coded), 76))
    assert exchange(tokens.client, lines, grant="saml").status == 200


def test_an_access_token_never_outlives_its_saml_token(tokens: TokenOffice) -> None:
    reply = exchange(tokens.client, tokens.saml(lasts=timedelta(seconds=100)))
    assert reply.json["expires_in"] <= 100


@pytest.mark.parametrize("scheme", ["Holder-of-key", "Bearer", "holder-of-key"])
@pytest.mark.parametrize("cvr", [AALBORG, ODENSE])
def test_rest_takes_it_and_the_municipality_in_it_counts(tokens: TokenOffice, scheme: str, cvr: str) -> None:
    token = tokens.access(cvrs=[cvr], audiences=[MUNICIPALITIES_ENTITY])
    reply = tokens.client.lookup("municipalities", {"key": "0851"}, Authorization=f"{scheme} {token}")
    assert reply.status == 200, reply.body
    assert tokens.last(CallAnswered).municipality_cvr == cvr


def test_without_one_the_two_agreements_are_ambiguous(tokens: TokenOffice) -> None:
    assert tokens.client.lookup("municipalities", {"key": "0851"}).code == "agreement_ambiguous"


@pytest.mark.parametrize("context", ["", authority(ODENSE)])
def test_soap_takes_it_with_and_without_a_context(tokens: TokenOffice, context: str) -> None:
    token = tokens.access(cvrs=[ODENSE], audiences=[MUNICIPALITIES_ENTITY])
    reply = post(tokens.client, "/soap/municipalities", ASKED.format(context), Authorization=f"Holder-of-key {token}")
    answer_of(reply)
    assert tokens.last(CallAnswered).municipality_cvr == ODENSE


def test_an_established_service_takes_it(tokens: TokenOffice) -> None:
    reply = post(tokens.client, DEMO_PATH, demo_request("hej", ""), Authorization=f"Holder-of-key {tokens.access()}")
    assert "hej" in "".join(answer_of(reply).itertext())


def test_another_scheme_is_no_token(tokens: TokenOffice) -> None:
    reply = tokens.client.lookup(
        "municipalities", {"key": "0851"}, Authorization="Basic eDp5", Knudepunkt_Municipality=AALBORG
    )
    assert reply.status == 200


def test_a_token_is_no_agreement(tokens: TokenOffice) -> None:
    """Whoever issued it: what no agreement carries is refused."""
    token = tokens.access(cvrs=["29189846"], audiences=[MUNICIPALITIES_ENTITY])
    reply = tokens.client.lookup("municipalities", {"key": "0851"}, Authorization=f"Bearer {token}")
    assert (reply.status, reply.code) == (403, "agreement_missing")


def test_where_no_issuer_is_trusted_there_is_no_token_road(client: Client) -> None:
    assert exchange(client, "x").code == "route_unknown"


def test_the_openapi_document_tells_of_it_where_it_is_on(tokens: TokenOffice, client: Client) -> None:
    document = tokens.client.get("/openapi.json").json
    OpenAPIV31SpecValidator(document).validate()
    assert TOKEN_PATH in document["paths"]
    assert TOKEN_PATH not in client.get("/openapi.json").json["paths"]


def test_a_refused_token_is_challenged_as_clients_expect(tokens: TokenOffice) -> None:
    reply = tokens.client.lookup("municipalities", {"key": "0851"}, Authorization="Bearer x")
    assert reply.headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("soap", [False, True])
def test_the_callers_own_number_is_in_the_ledger(tokens: TokenOffice, soap: bool) -> None:
    number = "7b0f2a1c-7e64-4d0a-9b53-1f6c8a2e4d03"
    token = tokens.access(audiences=[MUNICIPALITIES_ENTITY])
    headers = {"Authorization": f"Holder-of-key {token}", "x_TransaktionsId": number}
    if soap:
        answer_of(post(tokens.client, "/soap/municipalities", ASKED.format(""), **headers))
    else:
        tokens.client.lookup("municipalities", {"key": "0851"}, **headers)
    assert tokens.last(CallAnswered).said.call_id == number
