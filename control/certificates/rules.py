"""Which certificate may be bound to which system. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256

from control.certificates.subject import Kind, read_subject
from control.certificates.values import Certificate
from control.errors import CertificateRefused, EmployeeCertificate
from control.times import shown
from control.trust import Trust, name_of

LIVE_PER_SYSTEM: Final = 2
"""Two, so that a renewal breaks nothing: the new one is bound while the old one still answers."""


def fingerprint_of(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()


def ensure_bindable(
    certificate: x509.Certificate,
    *,
    owner_cvr: str,
    trust: Trust,
    bound: Iterable[Certificate],
    at: datetime,
) -> None:
    """Raises CertificateRefused, and EmployeeCertificate for one that is an employee's.

    bound   certificates of the same system
    """
    subject = read_subject(certificate)
    if subject.kind is Kind.EMPLOYEE:
        raise EmployeeCertificate(
            "it is an employee's certificate; only an organisation's or a system's may call services",
            remedy="order an OCES organisation or system certificate",
            rule="certificate.kind",
        )
    if subject.kind is not Kind.ORGANISATION:
        raise CertificateRefused(
            f"it is a certificate of kind {subject.kind.value}; only an organisation's or a system's may call services",
            remedy="order an OCES organisation or system certificate",
            rule="certificate.kind",
        )
    if subject.cvr != owner_cvr:
        raise CertificateRefused(
            f"it is issued to CVR {subject.cvr or '(none)'}, and the system belongs to CVR {owner_cvr}",
            remedy="use a certificate of the organisation that owns the system",
            rule="certificate.cvr",
        )
    if not any(issued_by(certificate, authority, at) for authority in trust.authorities):
        raise CertificateRefused(
            "it is not issued by an authority that is trusted here",
            remedy="use a certificate of a trusted authority, or have the operator trust yours",
            rule="certificate.issuer",
        )
    if trust.revokes(name_of(certificate)):
        raise CertificateRefused(
            "it stands on its issuer's list of revoked certificates",
            remedy="order a new one",
            rule="certificate.revocation_list",
        )
    if certificate.not_valid_after_utc <= at:
        raise CertificateRefused(
            f"it expired {shown(certificate.not_valid_after_utc)}", remedy="renew it", rule="certificate.valid_to"
        )
    # One that is valid from tomorrow counts too, or there would be three tomorrow.
    live = sorted((other for other in bound if not other.spent(at)), key=lambda other: other.valid_to)
    if len(live) >= LIVE_PER_SYSTEM:
        names = " and ".join(f"{other.fingerprint[:16]}... (until {shown(other.valid_to)})" for other in live)
        raise CertificateRefused(
            f"the system has {LIVE_PER_SYSTEM} live certificates already: {names}",
            remedy="revoke the one that is no longer used, mostly the first of them",
            rule="certificate.live_per_system",
        )


def issued_by(certificate: x509.Certificate, authority: x509.Certificate, at: datetime) -> bool:
    """Whether the authority signed the certificate, and is one that may sign certificates and is valid."""
    try:
        extensions = authority.extensions
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.ExtensionNotFound):
        return False
    in_time = authority.not_valid_before_utc <= at < authority.not_valid_after_utc
    return constraints.ca and usage.key_cert_sign and in_time
