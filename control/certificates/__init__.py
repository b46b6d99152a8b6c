"""Certificates: whose system a certificate speaks for, and the authority that issues them in the test environment."""

from control.certificates.authority import IssuedCertificate, TestAuthority
from control.certificates.fitness import read_certificate
from control.certificates.rules import LIVE_PER_SYSTEM, fingerprint_of, issued_by
from control.certificates.store import bind_certificate, find_certificate, load_certificates, revoke_certificate
from control.certificates.subject import Kind, Subject, read_subject
from control.certificates.values import Certificate
from control.certificates.verify import verify_chain

__all__ = [
    "LIVE_PER_SYSTEM",
    "Certificate",
    "IssuedCertificate",
    "Kind",
    "Subject",
    "TestAuthority",
    "bind_certificate",
    "find_certificate",
    "fingerprint_of",
    "issued_by",
    "load_certificates",
    "read_certificate",
    "read_subject",
    "revoke_certificate",
    "verify_chain",
]
