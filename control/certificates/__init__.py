"""Certificates: whose system a certificate speaks for, and the authority that issues them in the test environment."""

from control.certificates.authority import IssuedCertificate, TestAuthority
from control.certificates.rules import LIVE_PER_SYSTEM, fingerprint_of, issued_by
from control.certificates.store import bind_certificate, load_certificates, revoke_certificate, system_of
from control.certificates.subject import Kind, Subject, read_subject
from control.certificates.values import Certificate

__all__ = [
    "LIVE_PER_SYSTEM",
    "Certificate",
    "IssuedCertificate",
    "Kind",
    "Subject",
    "TestAuthority",
    "bind_certificate",
    "fingerprint_of",
    "issued_by",
    "load_certificates",
    "read_subject",
    "revoke_certificate",
    "system_of",
]
