"""The forms of the certificates that the test authority issues: names, dates, usages and limits, as OCES3 has them."""

import ipaddress
import uuid
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from control.certificates.fitness import SystemKey
from control.errors import CertificateNotIssued
from control.organisations import is_cvr

ORGANISATION = "Knudepunkt test"
UNIT = "Test - cti"
"""The organisational unit by which the public test authorities are known too."""
AUTHORITY_DAYS = 10 * 365
LONGEST_NAME = 64
"""Bytes of UTF-8 in O and CN. RFC 5280 (appendix A) allows 64 characters; cryptography counts bytes."""
# A clock that is a little behind ours must not find a new certificate to be of tomorrow.
BACKDATED = timedelta(minutes=5)


def ensure_issuable(cvr: str, organisation: str, system: str, days: int) -> None:
    if not is_cvr(cvr):
        raise CertificateNotIssued("the CVR number is not eight digits", remedy="give eight digits without blanks")
    for what, name in (("organisation", organisation), ("system", system)):
        if not 0 < len(name.encode()) <= LONGEST_NAME:
            raise CertificateNotIssued(
                f"the {what}'s name does not fit in a certificate",
                remedy=f"give one of 1 to {LONGEST_NAME} bytes (æ, ø and å are two)",
            )
    if days < 1:
        raise CertificateNotIssued("the certificate would never be valid", remedy="give at least one day")


def subject_name(cvr: str, organisation: str, kind: str, name: str) -> x509.Name:
    """kind   `O` for an organisation or system, `E` for an employee: see subject.py"""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, f"NTRDK-{cvr}"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"UI:DK-{kind}:G:{uuid.uuid4()}"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, UNIT),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def authority_certificate(
    name: str,
    issuer: str,
    public: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey,
    not_before: datetime | None,
    *,
    path_length: int,
) -> x509.Certificate:
    builder = begun(_name(name), _name(issuer), public, signer.public_key(), AUTHORITY_DAYS, not_before)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(usage(authority=True), critical=True).sign(signer, SHA256())


def begun(
    subject: x509.Name,
    issuer: x509.Name,
    public: SystemKey,
    issuer_public: ec.EllipticCurvePublicKey,
    days: int,
    not_before: datetime | None,
) -> x509.CertificateBuilder:
    start = not_before or datetime.now(UTC) - BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_public), critical=False)
    )


def usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_encipherment=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
