"""Which certificate may be bound to which system. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256

from control.certificates.subject import Kind, read_subject
from control.certificates.values import Certificate
from control.errors import CertificateRefused

LIVE_PER_SYSTEM: Final = 2
"""Two, so that a renewal breaks nothing: the new one is bound while the old one still answers."""


def fingerprint_of(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA256()).hex()


def ensure_bindable(
    certificate: x509.Certificate,
    *,
    owner_cvr: str,
    trusted: Iterable[x509.Certificate],
    bound: Iterable[Certificate],
    at: datetime,
) -> None:
    """Raises CertificateRefused.

    bound   certificates of the same system
    """
    subject = read_subject(certificate)
    if subject.kind is not Kind.ORGANISATION:
        raise CertificateRefused(
            f"it is a certificate of kind {subject.kind.value}; only an organisation's or system's may call services",
            remedy="order an OCES organisation or system certificate",
            rule="certificate.kind",
        )
    if subject.cvr != owner_cvr:
        raise CertificateRefused(
            f"it is issued to CVR {subject.cvr or '(none)'}, and the system belongs to CVR {owner_cvr}",
            remedy="use a certificate of the organisation that owns the system",
            rule="certificate.cvr",
        )
    if not any(issued_by(certificate, authority) for authority in trusted):
        raise CertificateRefused(
            "it is not issued by an authority that is trusted here",
            remedy="use a certificate of a trusted authority, or have the operator trust yours",
            rule="certificate.issuer",
        )
    if certificate.not_valid_after_utc <= at:
        raise CertificateRefused(
            f"it expired {certificate.not_valid_after_utc:%Y-%m-%d}", remedy="renew it", rule="certificate.valid_to"
        )
    live = [other for other in bound if other.revoked is None and at in other.valid]
    if len(live) >= LIVE_PER_SYSTEM:
        raise CertificateRefused(
            f"the system has {LIVE_PER_SYSTEM} live certificates already",
            remedy="revoke the one that is no longer used",
            rule="certificate.live_per_system",
        )


def issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether the authority signed the certificate and may sign certificates."""
    try:
        constraints = authority.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    return constraints.ca
