"""Which certificate may speak for a person. Pure."""

from collections.abc import Iterable
from datetime import datetime

from cryptography import x509

from control.certificates import Kind, issued_by, read_subject
from control.errors import CertificateRefused
from control.times import shown


def read_employee(pem: bytes, *, cvr: str, trusted: Iterable[x509.Certificate], at: datetime) -> x509.Certificate:
    """An employee's certificate of the organisation with this CVR number, issued by a trusted authority, and valid.

    Raises CertificateRefused.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise CertificateRefused(
            "it cannot be read", remedy="give the certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        ) from None
    subject = read_subject(certificate)
    if subject.kind is not Kind.EMPLOYEE:
        raise CertificateRefused(
            f"it is a certificate of kind {subject.kind.value}; a user is known by an employee's",
            remedy="use an OCES employee certificate (medarbejdercertifikat)",
            rule="certificate.kind",
        )
    if subject.cvr != cvr:
        raise CertificateRefused(
            f"it is issued to CVR {subject.cvr or '(none)'}, and the user belongs to CVR {cvr}",
            remedy="use a certificate of the user's organisation",
            rule="certificate.cvr",
        )
    if not any(issued_by(certificate, authority, at) for authority in trusted):
        raise CertificateRefused(
            "it is not issued by an authority that is trusted here",
            remedy="use a certificate of a trusted authority, or have the operator trust yours",
            rule="certificate.issuer",
        )
    if not certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc:
        raise CertificateRefused(
            f"it is valid from {shown(certificate.not_valid_before_utc)} to {shown(certificate.not_valid_after_utc)}",
            remedy="use one that is valid",
            rule="certificate.valid_to",
        )
    return certificate
