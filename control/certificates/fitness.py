"""Whether a certificate, or a request for one, is fit for a system by its form: key, signature, usage. Pure."""

from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID

from control.errors import CertificateNotIssued, CertificateRefused

SHORTEST_RSA_BITS: Final = 2048
LONGEST_RSA_BITS: Final = 8192
"""A longer key proves nothing more, and each handshake with it costs the server dearly."""
CURVES: Final = ("secp256r1", "secp384r1", "secp521r1")
_HASHES: Final = (SHA256, SHA384, SHA512)
_FIT_PURPOSES: Final = frozenset({ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE})

SystemKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
_E = TypeVar("_E", bound=x509.ExtensionType)
_Refusal = type[CertificateRefused] | type[CertificateNotIssued]


def read_certificate(content: bytes) -> x509.Certificate:
    """The certificate in a file, PEM or DER; of several in a PEM file, the first, and a key beside it is left alone.

    Raises CertificateRefused.
    """
    try:
        if b"-----BEGIN" in content:
            return x509.load_pem_x509_certificate(content)
        return x509.load_der_x509_certificate(content)
    except ValueError:
        raise CertificateRefused(
            "it cannot be read",
            remedy="give the certificate in PEM form (-----BEGIN CERTIFICATE-----) or DER; "
            "take it out of a PKCS#12 file with openssl pkcs12 -nokeys",
            rule="certificate.form",
        ) from None


def ensure_fit(certificate: x509.Certificate) -> None:
    """Raises CertificateRefused for a certificate with a weak key or signature, for an authority's, and for one that
    was issued for another use. No extended key usage is demanded: OCES certificates carry none.
    """
    try:
        ensure_strong(certificate, CertificateRefused)
        extensions = certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        raise CertificateRefused("it cannot be read", remedy="have it issued anew", rule="certificate.form") from None
    constraints = _found(extensions, x509.BasicConstraints)
    usage = _found(extensions, x509.KeyUsage)
    purposes = _found(extensions, x509.ExtendedKeyUsage)
    if (constraints is not None and constraints.ca) or (usage is not None and usage.key_cert_sign):
        raise CertificateRefused(
            "it is an authority's certificate, which issues certificates and never calls",
            remedy="use a certificate that such an authority issued to your system",
            rule="certificate.authority",
        )
    if usage is not None and not usage.digital_signature:
        raise CertificateRefused(
            "its key usage does not allow digital signatures, which a TLS client makes",
            remedy="order an OCES organisation or system certificate",
            rule="certificate.key_usage",
        )
    if purposes is not None and _FIT_PURPOSES.isdisjoint(purposes):
        raise CertificateRefused(
            "it was issued for another use than that of a TLS client",
            remedy="order an OCES organisation or system certificate",
            rule="certificate.extended_key_usage",
        )


def ensure_strong(made: x509.Certificate | x509.CertificateSigningRequest, refusal: _Refusal) -> SystemKey:
    """The public key. Raises `refusal` for a key or a signature hash that is too weak, or of a kind not taken here."""
    try:
        key, digest = made.public_key(), made.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        key, digest = None, None
    if isinstance(key, rsa.RSAPublicKey):
        if not SHORTEST_RSA_BITS <= key.key_size <= LONGEST_RSA_BITS:
            raise refusal(
                f"its RSA key has {key.key_size:,} bits; {SHORTEST_RSA_BITS:,} to {LONGEST_RSA_BITS:,} are taken",
                remedy="make a new key: openssl req -newkey rsa:3072, or ec with the curve P-256",
                rule="certificate.key",
            )
    elif not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise refusal(
            "its key is of no kind that is taken here",
            remedy="use an RSA key of 3,072 bits, or an EC key on the curve P-256 or P-384",
            rule="certificate.key",
        )
    if not _strong(digest):
        raise refusal(
            "its signature uses a hash that is not safe any more",
            remedy="use SHA-256 or better",
            rule="certificate.signature",
        )
    return key


def _strong(digest: HashAlgorithm | None) -> bool:
    return isinstance(digest, _HASHES)


def _found(extensions: x509.Extensions, kind: type[_E]) -> _E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
