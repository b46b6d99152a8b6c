"""Signing requests (PKCS#10): what of one is believed, which is its key and nothing else. Pure."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from control.certificates.fitness import SystemKey, ensure_strong
from control.errors import CertificateNotIssued


def read_request(content: bytes) -> SystemKey:
    """The key that a signing request, PEM or DER, proves to hold.

    Its subject and extensions are left alone: who the certificate is for is known from the registered system.
    Raises CertificateNotIssued.
    """
    try:
        request = x509.load_pem_x509_csr(content) if b"-----BEGIN" in content else x509.load_der_x509_csr(content)
        key = ensure_strong(request, CertificateNotIssued)
        proved = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        raise CertificateNotIssued(
            "the signing request cannot be read",
            remedy="give it in PEM form (-----BEGIN CERTIFICATE REQUEST-----), as openssl req -new writes it",
            rule="request.form",
        ) from None
    if not proved:
        raise CertificateNotIssued(
            "the signing request is not signed with the key that it names",
            remedy="make it anew with your own key",
            rule="request.signature",
        )
    return key
