"""Whose SAML tokens are taken: an issuer's name, and the certificates it signs with. No chain, no key in the token."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from api.tokens.errors import TokenIssuerInvalid

WEAKEST_RSA: Final = 2_048
WEAKEST_EC: Final = 256


@dataclass(frozen=True, slots=True)
class Issuer:
    name: str
    certificates: tuple[x509.Certificate, ...]


def issuer_of(name: str, pems: Iterable[bytes]) -> Issuer:
    """Raises TokenIssuerInvalid."""
    found: list[x509.Certificate] = []
    for pem in pems:
        try:
            found += x509.load_pem_x509_certificates(pem)
        except ValueError:
            raise _invalid(name, "holds no certificate in PEM") from None
    for each in found:
        key = each.public_key()
        strong = (isinstance(key, RSAPublicKey) and key.key_size >= WEAKEST_RSA) or (
            isinstance(key, EllipticCurvePublicKey) and key.key_size >= WEAKEST_EC
        )
        if not strong:
            raise _invalid(name, f"has a key that is neither RSA of {WEAKEST_RSA} bits nor of a curve of {WEAKEST_EC}")
    return Issuer(name, tuple(found))


def _invalid(name: str, what: str) -> TokenIssuerInvalid:
    return TokenIssuerInvalid(
        f"a certificate of the token issuer {name} {what}",
        remedy='mend the files that [tokens.issuers."NAME"] certificates names',
    )
