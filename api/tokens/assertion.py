"""A SAML 2.0 assertion: bytes in, what a trusted issuer says out.

Parsed like every message, by the hardened parser. After the signature is verified, only the tree that signxml gives
back as signed is read: what a wrapped signature puts beside it is not there any more.
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from api.soap.errors import MessageInvalid, MessageTooLarge
from api.soap.reading import parsed
from api.tokens.errors import SamlTokenExpired, SamlTokenInvalid, SamlTokenUntrusted
from api.tokens.issuers import Issuer
from control.organisations import is_cvr

MOST_BYTES: Final = 128 * 1024
SKEW: Final = timedelta(seconds=60)
"""How far an issuer's clock may be before ours. After the end there is no grace."""
CVR: Final = "dk:gov:saml:attribute:CvrNumberIdentifier"
HOLDER_OF_KEY: Final = "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key"
_SAML: Final = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_DS: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_METHODS: Final = frozenset({
    SignatureMethod.RSA_SHA256, SignatureMethod.RSA_SHA384, SignatureMethod.RSA_SHA512,
    SignatureMethod.SHA256_RSA_MGF1, SignatureMethod.ECDSA_SHA256, SignatureMethod.ECDSA_SHA384,
})  # fmt: skip
_DIGESTS: Final = frozenset({DigestAlgorithm.SHA256, DigestAlgorithm.SHA384, DigestAlgorithm.SHA512})
_UNTRUSTED: Final = "send the assertion as the token service gave it, from an issuer that is trusted here"
_FAILURES: Final = (
    SignXMLException, etree.LxmlError, ValueError, TypeError, KeyError, AttributeError, IndexError,
)  # fmt: skip
"""What signxml and the parsers below it raise for signatures that are none."""


@dataclass(frozen=True, slots=True)
class Assertion:
    """key      of this assertion alone, to count by
    audience    the service that it is for, as the issuer calls it
    municipality_cvr   whose authority is used
    holder      the certificate whose holder it is for, SHA-256 in hexadecimal digits
    until       when it is over
    """

    key: str
    audience: str
    municipality_cvr: str
    holder: str
    until: datetime


def read_assertion(sent: str, issuers: Mapping[str, Issuer], at: datetime, longest: timedelta) -> Assertion:
    """What a SAML token says, when a trusted issuer says it and says it of now.

    sent   the assertion, as XML or as base64 of it
    Raises SamlTokenInvalid, SamlTokenUntrusted, SamlTokenExpired.
    """
    root = _parsed(sent)
    signed = _verified(root, issuers, at)
    conditions = _only(signed, "Conditions")
    others = [each for each in conditions if each.tag != f"{_SAML}AudienceRestriction"]
    if others:
        raise _invalid("has a condition that is not kept here")
    start, until = _time(conditions, "NotBefore"), _time(conditions, "NotOnOrAfter")
    confirmation = _only(_only(signed, "Subject"), "SubjectConfirmation")
    if confirmation.get("Method") != HOLDER_OF_KEY:
        raise _invalid("is not confirmed by holder-of-key")
    data = _only(confirmation, "SubjectConfirmationData")
    if data.get("NotOnOrAfter") is not None:
        until = min(until, _time(data, "NotOnOrAfter"))
    if data.get("NotBefore") is not None:
        start = max(start, _time(data, "NotBefore"))
    _ensure_now(start, until, at, longest)
    return Assertion(
        key=sha256(f"{_text(_only(signed, 'Issuer'))}\n{signed.get('ID')}".encode()).hexdigest(),
        audience=_text(_only(_only(conditions, "AudienceRestriction"), "Audience")),
        municipality_cvr=_cvr(signed),
        holder=_holder(data),
        until=until,
    )


def _parsed(sent: str) -> Any:
    text = sent.strip()
    if not text.startswith("<"):
        try:
            # A plus that was not percent-encoded came as a blank.
            plain = text.replace("\r", "").replace("\n", "").replace(" ", "+")
            text = b64decode(plain, validate=True).decode("utf-8")
        except (binascii.Error, ValueError):
            raise _invalid("is neither XML nor base64 of it in UTF-8") from None
    try:
        root = parsed(text)
    except (MessageInvalid, MessageTooLarge) as error:
        raise SamlTokenInvalid(
            "the SAML token cannot be read as plain XML", remedy="send the assertion alone", rule=error.rule
        ) from None
    if root.tag != f"{_SAML}Assertion" or root.get("Version") != "2.0":
        raise _invalid("is no SAML 2.0 assertion")
    return root


def _verified(root: Any, issuers: Mapping[str, Issuer], at: datetime) -> Any:
    """The assertion as it was signed. Raises SamlTokenUntrusted."""
    signatures = list(root.iter(f"{_DS}Signature"))
    if len(signatures) != 1 or signatures[0].getparent() is not root:
        raise _untrusted("does not have one signature, as a child of the assertion")
    issuer = issuers.get(_text(_only(root, "Issuer")))
    if issuer is None:
        raise _untrusted("is from an issuer that is not trusted here")
    document = etree.tostring(root)
    expected = SignatureConfiguration(
        location="./", expect_references=1, signature_methods=_METHODS, digest_algorithms=_DIGESTS,
        ignore_ambiguous_key_info=True, verification_time=at,
    )  # fmt: skip
    for certificate in issuer.certificates:
        try:
            # By our certificate alone: what the signature says of its key is not looked at.
            result = XMLVerifier().verify(
                document, x509_cert=certificate, id_attribute="ID", expect_config=expected
            )  # fmt: skip
        except _FAILURES:
            continue
        signed = result.signed_xml if isinstance(result, VerifyResult) else None
        if (
            signed is not None
            and signed.tag == root.tag
            and signed.get("ID")
            and signed.get("ID") == root.get("ID")
            and _text(_only(signed, "Issuer")) == issuer.name
        ):
            return signed
    raise _untrusted("is not signed as it stands by its issuer's certificate in force")


def _ensure_now(start: datetime, until: datetime, at: datetime, longest: timedelta) -> None:
    if at >= until:
        raise _expired("is over", "fetch a new one")
    if at < start - SKEW:
        raise _expired("is not valid yet", "wait, or set the issuer's clock")
    if until - start > longest:
        raise _expired("is good for longer than is accepted", "have tokens issued for a shorter time")


def _cvr(signed: Any) -> str:
    found = [
        each
        for statement in signed.findall(f"{_SAML}AttributeStatement")
        for each in statement.findall(f"{_SAML}Attribute")
        if each.get("Name") == CVR
    ]
    if len(found) != 1:
        raise _invalid(f"does not have the attribute {CVR} once")
    value = _text(_only(found[0], "AttributeValue"))
    if not is_cvr(value):
        raise _invalid(f"has no CVR number in the attribute {CVR}")
    return value


def _holder(data: Any) -> str:
    certificates = data.findall(f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate")
    if len(certificates) != 1:
        raise _invalid("does not name its holder by one X509Certificate")
    try:
        der = b64decode("".join(_text(certificates[0]).split()), validate=True)
    except (binascii.Error, ValueError):
        raise _invalid("names its holder by what is no certificate") from None
    return sha256(der).hexdigest()


def _time(element: Any, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(element.get(name) or "")
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise _invalid(f"has no time in UTC as {name}")
    return found.astimezone(UTC)


def _only(parent: Any, name: str) -> Any:
    found = parent.findall(f"{_SAML}{name}")
    if len(found) != 1:
        raise _invalid(f"does not have {name} once where it belongs")
    return found[0]


def _text(element: Any) -> str:
    if len(element):
        raise _invalid("holds elements where it should hold text")
    return (element.text or "").strip()


def _invalid(what: str) -> SamlTokenInvalid:
    return SamlTokenInvalid(
        f"the SAML token {what}", remedy="see the consumers' guide on what a token must hold", rule="token.saml"
    )


def _untrusted(what: str) -> SamlTokenUntrusted:
    return SamlTokenUntrusted(f"the SAML token {what}", remedy=_UNTRUSTED, rule="token.issuer")


def _expired(what: str, remedy: str) -> SamlTokenExpired:
    return SamlTokenExpired(f"the SAML token {what}", remedy=remedy, rule="token.validity")
