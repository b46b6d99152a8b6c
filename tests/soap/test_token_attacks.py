"""Tokens that are forged, stolen, altered, stretched or used twice. Each is refused, and on record."""

import hmac
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwt
from joserfc.jwk import ECKey
from lxml import etree
from signxml.algorithms import SignatureMethod

from kernel import CallRefused
from tests.api.house import AALBORG, ANNA, ODENSE, Reply
from tests.attacks.harness import attack, case
from tests.soap.post import DEMO_PATH, authority, demo_request, fault_of, post
from tests.soap.saml import (
    BEARER,
    DEMO_ENTITY,
    DSIG,
    MUNICIPALITIES_ENTITY,
    SAML,
    TOKEN_PATH,
    TokenService,
    exchange,
    text_of,
)
from tests.soap.token_office import MOST_USES, OTHER, TokenOffice

Forging = Callable[[TokenOffice], str]


def refused(tokens: TokenOffice, reply: Reply, code: str) -> None:
    fact = tokens.last(CallRefused)
    assert (reply.code, fact.code) == (code, code), reply.body
    assert reply.status in {400, 401, 403, 413}
    assert reply.json["remedy"]
    # What stood in the token is in no answer.
    assert b"29189420" not in reply.body
    assert b"soapy" not in reply.body


# --- SAML tokens -----------------------------------------------------------------------------------------------------


def of_another_key(tokens: TokenOffice) -> str:
    return TokenService().token(tokens.holder)


def of_an_unknown_issuer(tokens: TokenOffice) -> str:
    return TokenService("https://evil.example").token(tokens.holder)


def altered(tokens: TokenOffice) -> str:
    return tokens.saml().replace(AALBORG, ODENSE)


def by_hmac(tokens: TokenOffice) -> str:
    """The issuer's public key as the secret of a MAC."""
    signed = tokens.service.signed(tokens.service.assertion(tokens.holder))
    signed.find(f".//{{{DSIG}}}SignatureMethod").set("Algorithm", SignatureMethod.HMAC_SHA256.value)
    info = etree.tostring(signed.find(f".//{{{DSIG}}}SignedInfo"), method="c14n", exclusive=True)
    secret = tokens.service.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed.find(f".//{{{DSIG}}}SignatureValue").text = b64encode(hmac.digest(secret, info, "sha256")).decode()
    return text_of(signed)


def _evil_and_signed(tokens: TokenOffice) -> tuple[Any, Any]:
    evil = tokens.service.assertion(tokens.holder, cvrs=[ODENSE], made_id="_evil")
    return evil, tokens.service.signed(tokens.service.assertion(tokens.holder))


def wrapped_whole(tokens: TokenOffice) -> str:
    """The signed assertion lies within a forged one, with its signature."""
    evil, signed = _evil_and_signed(tokens)
    etree.SubElement(evil, f"{{{SAML}}}Advice").append(signed)
    return text_of(evil)


def wrapped_signature_outside(tokens: TokenOffice) -> str:
    """The signature is the forged assertion's child, and refers to the one within."""
    evil, signed = _evil_and_signed(tokens)
    signature = signed.find(f"{{{DSIG}}}Signature")
    signed.remove(signature)
    evil.insert(1, signature)
    etree.SubElement(evil, f"{{{SAML}}}Advice").append(signed)
    return text_of(evil)


def wrapped_in_the_signature(tokens: TokenOffice) -> str:
    """The signed assertion lies in an Object of the signature."""
    evil, signed = _evil_and_signed(tokens)
    signature = signed.find(f"{{{DSIG}}}Signature")
    signed.remove(signature)
    etree.SubElement(signature, f"{{{DSIG}}}Object").append(signed)
    evil.insert(1, signature)
    return text_of(evil)


def same_id_twice(tokens: TokenOffice) -> str:
    signed = tokens.service.signed(tokens.service.assertion(tokens.holder, made_id="_one"))
    signature = signed.find(f"{{{DSIG}}}Signature")
    signed.remove(signature)
    evil = tokens.service.assertion(tokens.holder, cvrs=[ODENSE], made_id="_one")
    evil.insert(1, signature)
    etree.SubElement(evil, f"{{{SAML}}}Advice").append(signed)
    return text_of(evil)


def signed_in_part(tokens: TokenOffice) -> str:
    made = tokens.service.assertion(tokens.holder)
    made.find(f"{{{SAML}}}Subject").set("ID", "_part")
    return text_of(tokens.service.signed(made, reference="_part"))


def signed_twice(tokens: TokenOffice) -> str:
    signed = tokens.service.signed(tokens.service.assertion(tokens.holder))
    signed.append(etree.fromstring(etree.tostring(signed.find(f"{{{DSIG}}}Signature"))))
    return text_of(signed)


def signed_elsewhere(tokens: TokenOffice) -> str:
    signed = tokens.service.signed(tokens.service.assertion(tokens.holder))
    signed.find(f".//{{{DSIG}}}Reference").set("URI", "http://127.0.0.1:9/assertion.xml")
    return text_of(signed)


def by_sha1(tokens: TokenOffice) -> str:
    made = tokens.service.assertion(tokens.holder)
    return text_of(tokens.service.signed(made, algorithm=SignatureMethod.RSA_SHA1))


def with_entities(tokens: TokenOffice) -> str:
    return f'<!DOCTYPE Assertion [<!ENTITY x SYSTEM "file:///etc/passwd">]>{tokens.saml()}'


def unsigned(tokens: TokenOffice) -> str:
    return text_of(tokens.service.assertion(tokens.holder))


def changed(**settings: Any) -> Forging:
    return lambda tokens: tokens.saml(**settings)


def of_another_system(tokens: TokenOffice) -> str:
    return tokens.service.token(tokens.pem(OTHER))


UNTRUSTED, INVALID, EXPIRED = "saml_token_untrusted", "saml_token_invalid", "saml_token_expired"


@pytest.mark.parametrize(
    ("forged", "code"),
    [
        case("unsigned", "an assertion without a signature", unsigned, UNTRUSTED, by=UNTRUSTED),
        case("another_key", "an assertion in a trusted issuer's name, signed with another key, whose certificate it "
             "brings along", of_another_key, UNTRUSTED, by=UNTRUSTED),
        case("unknown_issuer", "an assertion from an issuer that is not trusted", of_an_unknown_issuer, UNTRUSTED,
             by=UNTRUSTED),
        case("altered", "another municipality in a signed assertion", altered, UNTRUSTED, by=UNTRUSTED),
        case("sha1", "an assertion signed with SHA-1", by_sha1, UNTRUSTED, by=UNTRUSTED),
        case("hmac", "the issuer's public key as the secret of a MAC", by_hmac, UNTRUSTED, by=UNTRUSTED),
        case("wrapped", "a signed assertion, signature and all, within a forged one", wrapped_whole, UNTRUSTED,
             by=UNTRUSTED),
        case("wrapped_outside", "a forged assertion whose signature refers to a genuine one within",
             wrapped_signature_outside, UNTRUSTED, by=UNTRUSTED),
        case("wrapped_object", "a genuine assertion in an Object of the forged one's signature",
             wrapped_in_the_signature, UNTRUSTED, by=UNTRUSTED),
        case("same_id", "a forged assertion with the id of the genuine one within", same_id_twice, UNTRUSTED,
             by=UNTRUSTED),
        case("part", "an assertion of which only the subject is signed", signed_in_part, UNTRUSTED, by=UNTRUSTED),
        case("twice", "an assertion with two signatures", signed_twice, UNTRUSTED, by=UNTRUSTED),
        case("elsewhere", "a signature over what lies at another address", signed_elsewhere, UNTRUSTED, by=UNTRUSTED),
        case("entities", "a document type that reads a file", with_entities, INVALID, by=INVALID),
        case("bearer", "an assertion for whoever bears it", changed(method=BEARER), INVALID, by=INVALID),
        case("two_cvrs", "two municipalities in one assertion", changed(cvrs=[AALBORG, ODENSE]), INVALID, by=INVALID),
        case("no_cvr", "an assertion without a municipality", changed(cvrs=[]), INVALID, by=INVALID),
        case("personal_cvr", "a personal number where the municipality should stand", changed(cvrs=[ANNA]), INVALID,
             by=INVALID),
        case("two_audiences", "an assertion for two services", changed(audiences=[DEMO_ENTITY, MUNICIPALITIES_ENTITY]),
             INVALID, by=INVALID),
        case("one_time", "a condition that is not kept here", changed(condition="<OneTimeUse/>"), INVALID, by=INVALID),
        case("expired", "an assertion whose time is over", changed(starts=timedelta(hours=-9)), EXPIRED, by=EXPIRED),
        case("early", "an assertion whose time has not come", changed(starts=timedelta(minutes=5)), EXPIRED,
             by=EXPIRED),
        case("long", "an assertion that is good for a year", changed(lasts=timedelta(days=365)), EXPIRED, by=EXPIRED),
        case("backwards", "an assertion that ends before it begins", changed(lasts=timedelta(hours=-1)), EXPIRED,
             by=EXPIRED),
        case("audience", "an assertion for a service elsewhere", changed(audiences=["urn:elsewhere"]),
             "saml_token_audience", by="saml_token_audience"),
        case("stolen", "another system's assertion", of_another_system, "saml_token_foreign", by="saml_token_foreign"),
        case("junk", "what is neither XML nor base64", lambda _: "\u2603&<", INVALID, by=INVALID),
        case("huge", "an assertion of 41,000 elements", lambda _: b64encode(b"<b/>" * 41_000).decode(), INVALID,
             by=INVALID),
        case("response", "a whole SAML response", lambda tokens: f"<Response>{tokens.saml()}</Response>", INVALID,
             by=INVALID),
    ],
)  # fmt: skip
def test_a_forged_saml_token(tokens: TokenOffice, forged: Forging, code: str) -> None:
    refused(tokens, exchange(tokens.client, forged(tokens)), code)


@attack("a comment within the municipality's number, so that half of it is read", by="the whole text is read")
def test_a_comment_does_not_cut_a_text(tokens: TokenOffice) -> None:
    cut = tokens.saml(audiences=[MUNICIPALITIES_ENTITY]).replace(AALBORG, f"{AALBORG[:4]}<!-- -->{AALBORG[4:]}")
    token = exchange(tokens.client, cut).json["access_token"]
    reply = tokens.client.lookup(
        "municipalities", {"key": "0851"}, Authorization=f"Bearer {token}", Knudepunkt_Municipality=AALBORG
    )
    assert reply.status == 200, reply.body


@attack("one assertion again and again", by="saml_token_worn")
def test_a_saml_token_wears_out(tokens: TokenOffice) -> None:
    token = tokens.saml()
    assert [exchange(tokens.client, token).status for _ in range(MOST_USES)] == [200] * MOST_USES
    refused(tokens, exchange(tokens.client, token), "saml_token_worn")


@attack("two assertions in one form", by="saml_token_invalid")
def test_the_field_stands_there_once(tokens: TokenOffice) -> None:
    form = b"saml-token=a&saml-token=b"
    reply = tokens.client.call("POST", TOKEN_PATH, form, {"Content-Type": "application/x-www-form-urlencoded"})
    refused(tokens, reply, INVALID)


@attack("a body that has no end", by="body_too_large")
def test_a_form_has_an_end(tokens: TokenOffice) -> None:
    refused(tokens, exchange(tokens.client, "a" * 300_000), "body_too_large")
    tokens.client.close()
    tokens.client._connection = None


# --- Access tokens ---------------------------------------------------------------------------------------------------


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    header, claims, signature = token.split(".")
    return json.loads(_plain(header)), json.loads(_plain(claims)), signature


def _plain(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def coded(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def by_none(tokens: TokenOffice) -> str:
    _, claims, _ = parts(tokens.access(audiences=[MUNICIPALITIES_ENTITY]))
    return f"{coded({'alg': 'none', 'typ': 'at+jwt'})}.{coded(claims)}."


def by_public_key(tokens: TokenOffice) -> str:
    """HS256, with the public half of the signing key as its secret."""
    _, claims, _ = parts(tokens.access(audiences=[MUNICIPALITIES_ENTITY]))
    signed = f"{coded({'alg': 'HS256', 'typ': 'at+jwt'})}.{coded(claims)}"
    secret = tokens.key.as_pem(private=False)
    return f"{signed}.{coded(hmac.digest(secret, signed.encode(), sha256))}"


def by_own_key(tokens: TokenOffice) -> str:
    """Signed with the attacker's key, which the header brings along."""
    _, claims, _ = parts(tokens.access(audiences=[MUNICIPALITIES_ENTITY]))
    key = ECKey.generate_key("P-256")
    header = {"alg": "ES256", "typ": "at+jwt", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key, algorithms=["ES256"])


def with_other_claims(tokens: TokenOffice) -> str:
    token = tokens.access(audiences=[MUNICIPALITIES_ENTITY])
    _, claims, _ = parts(token)
    header, _, signature = token.split(".")
    return f"{header}.{coded({**claims, 'cvr': ODENSE})}.{signature}"


def resigned(claims: dict[str, Any], header: dict[str, Any] | None = None) -> Forging:
    """Signed with the right key: what a bug elsewhere, or another use of the key, might give."""

    def make(tokens: TokenOffice) -> str:
        before_header, before, _ = parts(tokens.access(audiences=[MUNICIPALITIES_ENTITY]))
        both = {**before, **claims}
        kept = {name: value for name, value in both.items() if value is not None}
        return jwt.encode({**before_header, **(header or {})}, kept, tokens.key, algorithms=["ES256"])

    return make


PAST = int((datetime.now(UTC) - timedelta(seconds=1)).timestamp())
WRONG = "access_token_invalid"


@pytest.mark.parametrize(
    ("forged", "code"),
    [
        case("none", "an access token of the algorithm none", by_none, WRONG, by=WRONG),
        case("hs256", "an access token by HS256 with the public key as secret", by_public_key, WRONG, by=WRONG),
        case("own_key", "an access token that brings its key along", by_own_key, WRONG, by=WRONG),
        case("claims", "another municipality in an access token", with_other_claims, WRONG, by=WRONG),
        case("other_use", "a JWT of another type, signed with our key", resigned({}, {"typ": "JWT"}), WRONG, by=WRONG),
        case("other_issuer", "a JWT in another's name, signed with our key", resigned({"iss": "x"}), WRONG, by=WRONG),
        case("no_end", "an access token that never ends", resigned({"exp": None}), WRONG, by=WRONG),
        case("no_holder", "an access token for any certificate", resigned({"cnf": None}), WRONG, by=WRONG),
        case("junk", "what is no token", lambda _: "ey.ey.ey", WRONG, by=WRONG),
        case("empty", "a header without a token", lambda _: "", WRONG, by=WRONG),
        case("long", "an access token of 40,000 characters", lambda _: "a" * 40_000, WRONG, by=WRONG),
        case("saml", "the SAML token instead of an access token",
             lambda tokens: b64encode(tokens.saml()[:2_000].encode()).decode(), WRONG, by=WRONG),
        case("expired", "an access token whose time is over", resigned({"exp": PAST}), "access_token_expired",
             by="access_token_expired"),
        case("audience", "an access token for another service", lambda tokens: tokens.access(),
             "access_token_audience", by="access_token_audience"),
        case("system", "an access token of another system under this certificate", resigned({"sub": "x"}),
             "access_token_foreign", by="access_token_foreign"),
    ],
)  # fmt: skip
def test_a_forged_access_token(tokens: TokenOffice, forged: Forging, code: str) -> None:
    reply = tokens.client.lookup("municipalities", {"key": "0851"}, Authorization=f"Bearer {forged(tokens)}")
    refused(tokens, reply, code)


@attack("a stolen access token under another certificate, REST", by="access_token_foreign")
def test_a_stolen_access_token(tokens: TokenOffice) -> None:
    token = tokens.access(audiences=[MUNICIPALITIES_ENTITY])
    reply = tokens.other.lookup("municipalities", {"key": "0851"}, Authorization=f"Bearer {token}")
    refused(tokens, reply, "access_token_foreign")


@attack("a stolen access token under another certificate, SOAP", by="access_token_foreign")
def test_a_stolen_access_token_over_soap(tokens: TokenOffice) -> None:
    reply = post(tokens.other, DEMO_PATH, demo_request("hej", ""), Authorization=f"Holder-of-key {tokens.access()}")
    assert fault_of(reply).error == "access_token_foreign"
    assert tokens.last(CallRefused).code == "access_token_foreign"


@attack("an access token for one municipality, and a header that names another", by="access_token_contradicted")
def test_a_header_does_not_contradict_the_token(tokens: TokenOffice) -> None:
    token = tokens.access(audiences=[MUNICIPALITIES_ENTITY])
    reply = tokens.client.lookup(
        "municipalities", {"key": "0851"}, Authorization=f"Bearer {token}", Knudepunkt_Municipality=ODENSE
    )
    refused(tokens, reply, "access_token_contradicted")


@attack("an access token for one municipality, and a context that names another", by="access_token_contradicted")
def test_a_context_does_not_contradict_the_token(tokens: TokenOffice) -> None:
    asked = demo_request("hej", authority(ODENSE))
    reply = post(tokens.client, DEMO_PATH, asked, Authorization=f"Bearer {tokens.access()}")
    assert fault_of(reply).error == "access_token_contradicted"


@attack("an access token for one municipality, and an agreement with another", by="agreement_missing")
def test_an_agreement_does_not_contradict_the_token(tokens: TokenOffice) -> None:
    token = tokens.access(audiences=[MUNICIPALITIES_ENTITY])
    reply = tokens.client.lookup(
        "municipalities", {"key": "0851"}, Authorization=f"Bearer {token}",
        Knudepunkt_Agreement=str(tokens.house.agreements["token-odense"]),
    )  # fmt: skip
    assert (reply.code, tokens.last(CallRefused).rule) == ("agreement_missing", "agreement.municipality")


@attack("no access token, and no context", by="soap.context")
def test_no_token_and_no_context(tokens: TokenOffice) -> None:
    fault_of(post(tokens.client, DEMO_PATH, demo_request("hej", "")))
    assert tokens.last(CallRefused).rule == "soap.context"
