from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from control.errors import AuthorityInvalid, CertificateRevoked, CertificateUntrusted
from control.trust.lists import RevocationList
from kernel import Window

CertificateName = tuple[str, int]
"""What names a certificate for ever (RFC 5280, 4.1.2.2): its issuer's name (RFC 4514), and the issuer's serial number.

As text, because two encodings of one name are one name."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate and the authorities above it, verified: each signed the one before.

    fingerprint   of the certificate itself: SHA-256, lower-case hex
    valid         when every one of them is valid
    names         of all of them, the certificate's own first
    authorities   fingerprints of those above it
    """

    fingerprint: str
    valid: Window
    names: tuple[CertificateName, ...]
    authorities: frozenset[str]


@dataclass(frozen=True, slots=True, repr=False)
class Trust:
    """The authorities that are trusted and what their lists take back: a value, replaced when a file changes."""

    authorities: tuple[x509.Certificate, ...]
    lists: tuple[RevocationList, ...]
    _fingerprints: frozenset[str]
    _revoked: Mapping[str, frozenset[int]]

    @classmethod
    def of(cls, authorities: Iterable[x509.Certificate], lists: Iterable[RevocationList] = ()) -> Self:
        authorities, lists = tuple(authorities), tuple(lists)
        revoked: defaultdict[str, set[int]] = defaultdict(set)
        for each in lists:
            revoked[each.issuer] |= each.serials
        return cls(
            authorities,
            lists,
            frozenset(each.fingerprint(SHA256()).hex() for each in authorities),
            {issuer: frozenset(serials) for issuer, serials in revoked.items()},
        )

    @classmethod
    def read(cls, folder: Path, lists: Iterable[RevocationList] = ()) -> Self:
        """Raises AuthorityInvalid."""
        try:
            return cls.of(load_trust(folder), lists)
        except (OSError, ValueError) as error:
            raise AuthorityInvalid(
                f"the trusted authorities cannot be read: {error}", remedy=f"mend the PEM files in {folder}"
            ) from None

    def ensure_current(self, chain: Chain) -> None:
        """Whether a chain that was verified before still stands. A few look-ups in sets: it is asked for every call.

        Raises CertificateRevoked for one that is on a list, or whose authority is; CertificateUntrusted when the
        authorities above it were taken out of the trust.
        """
        if self._fingerprints.isdisjoint(chain.authorities):
            raise CertificateUntrusted(
                "the authority that issued the certificate is not trusted here any more",
                remedy="use a certificate of a trusted authority",
                rule="certificate.issuer",
                owner="the operator",
            )
        for place, (issuer, serial) in enumerate(chain.names):
            if serial in self._revoked.get(issuer, ()):
                raise _revoked(issuer, itself=place == 0)

    def revokes(self, name: CertificateName) -> bool:
        return name[1] in self._revoked.get(name[0], ())


NO_TRUST: Final = Trust.of(())


def load_trust(folder: Path) -> tuple[x509.Certificate, ...]:
    """The authorities in every `*.pem` file of a folder. Raises ValueError for a file that holds none."""
    found: list[x509.Certificate] = []
    for path in sorted(folder.glob("*.pem")):
        found += x509.load_pem_x509_certificates(path.read_bytes())
    return tuple(found)


def name_of(certificate: x509.Certificate) -> CertificateName:
    return certificate.issuer.rfc4514_string(), certificate.serial_number


def chain_of(certificates: Sequence[x509.Certificate]) -> Chain:
    """certificates   verified, the leaf first"""
    starts = max(each.not_valid_before_utc for each in certificates)
    ends = min(each.not_valid_after_utc for each in certificates)
    fingerprints = [each.fingerprint(SHA256()).hex() for each in certificates]
    return Chain(
        fingerprint=fingerprints[0],
        # Dates that never meet: never valid.
        valid=Window(starts, max(starts, ends)),
        names=tuple(name_of(each) for each in certificates),
        authorities=frozenset(fingerprints[1:]),
    )


def _revoked(issuer: str, *, itself: bool) -> CertificateRevoked:
    if itself:
        told = "the certificate stands on its issuer's list of revoked certificates"
    else:
        told = "an authority above the certificate stands on a list of revoked certificates"
    return CertificateRevoked(
        told,
        remedy="order a new certificate and bind it to your system",
        rule="certificate.revocation_list",
        owner=f"issuer {issuer}",
    )
