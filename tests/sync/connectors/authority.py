"""A certificate authority for one test run: a server named localhost, and a client."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """certificate   its own
    server, client   a certificate with its key, each in one file
    """

    certificate: Path
    server: Path
    client: Path


def new_authority(folder: Path) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
    root = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    (folder / "authority.pem").write_bytes(_with_identifiers(root, key, key).public_bytes(Encoding.PEM))
    for who in ("localhost", "client"):
        own = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, who)]), name, own)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(who)]), critical=False)
        certificate = _with_identifiers(builder, own, key)
        private = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{who}.pem").write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return Authority(folder / "authority.pem", folder / "localhost.pem", folder / "client.pem")


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _with_identifiers(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, authority: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.add_extension(issuer, critical=False).sign(authority, hashes.SHA256())
