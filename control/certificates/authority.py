"""A certificate authority for the test environment: certificates in the shape of OCES3, marked as test.

Its root signs itself and its issuing certificate; clients and servers get theirs from the issuing one. Keys lie
unencrypted in the instance, which is why production trusts the public authorities and never this one.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from control.certificates.fitness import SystemKey
from control.certificates.forms import (
    BACKDATED,
    ORGANISATION,
    authority_certificate,
    begun,
    ensure_issuable,
    general_name,
    subject_name,
    usage,
)
from control.errors import AuthorityInvalid

ROOT_NAME = "Knudepunkt Test OCES rod-CA"
ISSUING_NAME = "Knudepunkt Test OCES udstedende-CA 1"
SYSTEM_DAYS = 3 * 365
SERVER_DAYS = 397


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """cert_pem   the certificate and the issuing authority's, in the order that TLS wants them
    key_pem    the private key, unencrypted PKCS#8
    """

    cert_pem: bytes
    key_pem: bytes


class TestAuthority:
    """Opened from its folder, or made there, by `open_or_create`."""

    __test__ = False  # pytest: not a test

    def __init__(
        self,
        root: x509.Certificate,
        root_key: ec.EllipticCurvePrivateKey,
        issuer: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
    ) -> None:
        self._root, self._root_key, self._issuer, self._key = root, root_key, issuer, key

    @classmethod
    def open_or_create(cls, folder: Path, *, not_before: datetime | None = None) -> Self:
        """not_before   since when a new authority is valid; now, without it

        Raises AuthorityInvalid when what lies there cannot be read.
        """
        if not (folder / "issuing.key").exists():
            cls._create(folder, not_before)
        try:
            key = load_pem_private_key((folder / "issuing.key").read_bytes(), None)
            root_key = load_pem_private_key((folder / "root.key").read_bytes(), None)
            root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
            issuer = x509.load_pem_x509_certificate((folder / "issuing.pem").read_bytes())
        except (OSError, ValueError) as error:
            raise AuthorityInvalid(
                f"the test authority in {folder} cannot be read: {error}", remedy="restore the folder, or remove it"
            ) from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(root_key, ec.EllipticCurvePrivateKey):
            raise AuthorityInvalid("the test authority's key is of another kind", remedy="restore the folder")
        return cls(root, root_key, issuer, key)

    @property
    def ca_pem(self) -> bytes:
        """Root and issuing certificate: what clients and servers trust."""
        return self._root.public_bytes(Encoding.PEM) + self._issuer.public_bytes(Encoding.PEM)

    def issue_system(
        self,
        cvr: str,
        organisation: str,
        system: str,
        *,
        days: int = SYSTEM_DAYS,
        not_before: datetime | None = None,
    ) -> IssuedCertificate:
        """An organisation certificate for a system, in the shape of OCES3.

        Expired ones and future ones can be made with `not_before` and `days`. Raises CertificateNotIssued.
        """
        ensure_issuable(cvr, organisation, system, days)
        key = ec.generate_private_key(ec.SECP256R1())
        # As the real ones: no extended key usage.
        name = subject_name(cvr, organisation, "O", system)
        return IssuedCertificate(self._issue(name, key.public_key(), days, not_before, ()), _pem(key))

    def answer(self, key: SystemKey, cvr: str, organisation: str, system: str, *, days: int = SYSTEM_DAYS) -> bytes:
        """As `issue_system`, for a key that a signing request proved to hold: PEM of the certificate and the issuing
        authority's. Raises CertificateNotIssued.
        """
        ensure_issuable(cvr, organisation, system, days)
        return self._issue(subject_name(cvr, organisation, "O", system), key, days, None, ())

    def revocation_list(
        self,
        serials: Iterable[int],
        *,
        root: bool = False,
        issued: datetime | None = None,
        days: int = 7,
        number: int = 1,
    ) -> bytes:
        """A list (PEM) of certificates that the issuing authority takes back; with `root`, that the root does."""
        start = issued or datetime.now(UTC) - BACKDATED
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name((self._root if root else self._issuer).subject)
            .last_update(start)
            .next_update(start + timedelta(days=days))
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for serial in serials:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(start).build()
            builder = builder.add_revoked_certificate(entry)
        key = self._root_key if root else self._key
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
        return builder.add_extension(authority, critical=False).sign(key, SHA256()).public_bytes(Encoding.PEM)

    def issue_employee(
        self,
        cvr: str,
        organisation: str,
        name: str,
        *,
        days: int = SYSTEM_DAYS,
        not_before: datetime | None = None,
    ) -> IssuedCertificate:
        """A certificate for somebody who works there, in the shape of OCES3. Raises CertificateNotIssued."""
        key = ec.generate_private_key(ec.SECP256R1())
        ensure_issuable(cvr, organisation, name, days)
        chain = self._issue(subject_name(cvr, organisation, "E", name), key.public_key(), days, not_before, ())
        return IssuedCertificate(chain, _pem(key))

    def answer_employee(self, key: SystemKey, cvr: str, organisation: str, name: str) -> bytes:
        """As `issue_employee`, for a key that a signing request proved to hold; PEM as `answer` gives it."""
        ensure_issuable(cvr, organisation, name, SYSTEM_DAYS)
        return self._issue(subject_name(cvr, organisation, "E", name), key, SYSTEM_DAYS, None, ())

    def issue_server(self, names: Sequence[str], *, days: int = SERVER_DAYS) -> IssuedCertificate:
        """A server certificate for host names and addresses; always also for this machine itself."""
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
                x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else "localhost"),
            ]
        )
        alternatives = x509.SubjectAlternativeName(
            [general_name(name) for name in dict.fromkeys((*names, "localhost", "127.0.0.1", "::1"))]
        )
        key = ec.generate_private_key(ec.SECP256R1())
        extensions = (alternatives, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]))
        return IssuedCertificate(self._issue(subject, key.public_key(), days, None, extensions), _pem(key))

    def _issue(
        self,
        subject: x509.Name,
        key: SystemKey,
        days: int,
        not_before: datetime | None,
        extensions: Sequence[x509.ExtensionType],
    ) -> bytes:
        builder = begun(subject, self._issuer.subject, key, self._key.public_key(), days, not_before)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(usage(authority=False), critical=True)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        certificate = builder.sign(self._key, SHA256())
        return certificate.public_bytes(Encoding.PEM) + self._issuer.public_bytes(Encoding.PEM)

    @classmethod
    def _create(cls, folder: Path, not_before: datetime | None) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        root_key, issuing_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = authority_certificate(ROOT_NAME, ROOT_NAME, root_key.public_key(), root_key, not_before, path_length=1)
        issuing = authority_certificate(
            ISSUING_NAME, ROOT_NAME, issuing_key.public_key(), root_key, not_before, path_length=0
        )
        _write(folder / "root.key", _pem(root_key))
        _write(folder / "root.pem", root.public_bytes(Encoding.PEM))
        _write(folder / "issuing.pem", issuing.public_bytes(Encoding.PEM))
        # Last: its presence says that the authority is whole.
        _write(folder / "issuing.key", _pem(issuing_key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes) -> None:
    # Under its name only when whole, and never readable by others, not even for the moment before a chmod.
    draft = path.with_suffix(f"{path.suffix}.part")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
