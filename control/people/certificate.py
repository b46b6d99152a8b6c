"""Which certificate may speak for a person. Pure."""

from datetime import datetime

from cryptography import x509

from control.certificates import Kind, issued_by, read_certificate, read_subject
from control.certificates.fitness import ensure_fit
from control.errors import CertificateRefused
from control.times import shown
from control.trust import Trust, chain_of


def read_employee(content: bytes, *, cvr: str, trust: Trust, at: datetime) -> x509.Certificate:
    """An employee's certificate of the organisation with this CVR number, issued by a trusted authority, and valid.

    content   PEM or DER

    Raises CertificateRefused, and CertificateRevoked for one on a list of its issuer.
    """
    certificate = read_certificate(content)
    ensure_fit(certificate)
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
    issuer = next((each for each in trust.authorities if issued_by(certificate, each, at)), None)
    if issuer is None:
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
    trust.ensure_current(chain_of([certificate, issuer]))
    return certificate
