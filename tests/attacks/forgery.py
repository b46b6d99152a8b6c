"""Certificates that no authority would issue, and some that one would."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from tests.api.house import SUPPLIER

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Holder:
    """A certificate with its key, and the authorities that are sent along."""

    certificate: x509.Certificate
    key: Key
    sent_along: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return b"".join(each.public_bytes(Encoding.PEM) for each in (self.certificate, *self.sent_along))

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sending(self, *authorities: "Holder | x509.Certificate") -> "Holder":
        along = tuple(each.certificate if isinstance(each, Holder) else each for each in authorities)
        return replace(self, sent_along=along)

    def write(self, folder: Path) -> tuple[Path, Path]:
        (folder / "holder.pem").write_bytes(self.pem)
        (folder / "holder.key").write_bytes(self.key_pem)
        return folder / "holder.pem", folder / "holder.key"


def authority_of(folder: Path) -> tuple[Holder, Holder]:
    """Issuing authority and root of a test authority's folder, with their keys."""
    found = []
    for name in ("issuing", "root"):
        key = load_pem_private_key((folder / f"{name}.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        found.append(Holder(x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes()), key))
    return found[0], found[1]


def subject(name: str = "forged", cvr: str = SUPPLIER, kind: str = "O") -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DK"),
            x509.NameAttribute(NameOID.ORGANIZATION_IDENTIFIER, f"NTRDK-{cvr}"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Prøve Leverandør A/S"),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, f"UI:DK-{kind}:G:0f5e8f1a-6f2b-4f7c-9b57-0d3c7f0a1b2c"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def made(
    issuer: Holder | None,
    *,
    name: x509.Name | None = None,
    key: Key | None = None,
    authority: bool = False,
    path_length: int | None = None,
    digital_signature: bool = True,
    purposes: Sequence[x509.ObjectIdentifier] = (),
    start: datetime | None = None,
    days: int = 30,
    signed_with: Key | None = None,
    serial: int | None = None,
) -> Holder:
    """issuer   None for one that signs itself"""
    own = key or ec.generate_private_key(ec.SECP256R1())
    start = start or datetime.now(UTC) - DAY
    named = name or subject()
    usage = x509.KeyUsage(
        digital_signature=digital_signature, content_commitment=False, key_encipherment=not digital_signature,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority, crl_sign=authority,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip
    signer = issuer.key if issuer else own
    builder = (
        x509.CertificateBuilder()
        .subject_name(named)
        .issuer_name(issuer.certificate.subject if issuer else named)
        .public_key(own.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return Holder(builder.sign(signed_with or signer, SHA256()), own)


def tampered(holder: Holder, at: int) -> Holder:
    """The same certificate with one byte changed; counted from the end when below 0."""
    content = bytearray(holder.der)
    content[at] ^= 0x01
    return replace(holder, certificate=x509.load_der_x509_certificate(bytes(content)))


def renamed(holder: Holder, before: bytes, after: bytes) -> Holder:
    """The same certificate with other bytes in its subject, and the signature that it had."""
    assert len(before) == len(after)
    assert holder.der.count(before) == 1
    return replace(holder, certificate=x509.load_der_x509_certificate(holder.der.replace(before, after)))


def field_of(*certificates: bytes) -> str:
    """Byte sequences of RFC 9651, as RFC 9440 wants them."""
    return ", ".join(f":{base64.b64encode(each).decode()}:" for each in certificates)
