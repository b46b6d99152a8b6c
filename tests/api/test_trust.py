"""Leaving dates to the application weakens nothing else: every certificate below is refused, and this is where."""

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from api import make_app
from tests.api.house import House, Reply, serving

NOW = datetime.now(UTC)
REFUSED = (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)


@dataclass(frozen=True)
class Holder:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def made(
    name: str,
    issuer: Holder | None = None,
    *,
    authority: bool = False,
    days_ago: int = 1,
    days: int = 30,
    signed_with: ec.EllipticCurvePrivateKey | None = None,
    only_for_servers: bool = False,
) -> Holder:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = NOW - timedelta(days=days_ago)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if only_for_servers:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return Holder(builder.sign(signed_with or (issuer.key if issuer else key), SHA256()), key)


class Case:
    """A server that trusts one root, and what it answers to a chain."""

    def __init__(self, house: House, root: Holder, port: int, folder: Path) -> None:
        self.house, self.root, self._port, self._folder = house, root, port, folder

    def call(self, *chain: Holder) -> Reply:
        (self._folder / "chain.pem").write_bytes(b"".join(each.pem for each in chain))
        key = chain[0].key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (self._folder / "chain.key").write_bytes(key)
        context = self.house.context(None)
        context.load_cert_chain(self._folder / "chain.pem", self._folder / "chain.key")
        connection = http.client.HTTPSConnection("localhost", self._port, context=context, timeout=60)
        try:
            connection.request("GET", "/v1/services/municipalities/records/0851")
            answer = connection.getresponse()
            return Reply(answer.status, {}, answer.read())
        finally:
            connection.close()


@pytest.fixture
def case(house: House, tmp_path: Path) -> Iterator[Case]:
    with open_case(house, tmp_path) as found:
        yield found


@contextmanager
def open_case(house: House, folder: Path) -> Iterator[Case]:
    root = made("root", authority=True)
    (folder / "trust").mkdir()
    (folder / "trust" / "root.pem").write_bytes(root.pem)
    with (
        house.live_tls(folder) as tls,
        serving(house, make_app(house.doors(tls=tls)), context=tls.context) as (_, port),
    ):
        yield Case(house, root, port, folder)


def test_a_chain_that_holds_reaches_the_application(case: Case) -> None:
    issuing = made("issuing", case.root, authority=True)
    # Nobody has bound it, so the application does not know it: the handshake let it through.
    assert case.call(made("system", issuing), issuing).code == "certificate_unknown"
    assert case.call(made("system", case.root)).code == "certificate_unknown"


def test_an_expired_certificate_is_told_so(case: Case) -> None:
    assert case.call(made("system", case.root, days_ago=20, days=10)).code == "certificate_expired"


def test_an_authority_in_between_that_expired_takes_its_certificates_with_it(case: Case) -> None:
    issuing = made("issuing", case.root, authority=True, days_ago=20, days=10)
    assert case.call(made("system", issuing), issuing).code == "certificate_expired"


def test_a_certificate_that_signed_itself_is_refused(case: Case) -> None:
    with pytest.raises(REFUSED):
        case.call(made("system"))


def test_an_authority_of_the_same_name_is_another(case: Case) -> None:
    imposter = made("root", authority=True)
    with pytest.raises(REFUSED):
        case.call(made("system", imposter), imposter)


def test_a_forged_signature_is_refused(case: Case) -> None:
    with pytest.raises(REFUSED):
        case.call(made("system", case.root, signed_with=ec.generate_private_key(ec.SECP256R1())))


def test_a_systems_certificate_cannot_issue_another(case: Case) -> None:
    system = made("system", case.root)
    with pytest.raises(REFUSED):
        case.call(made("other", system), system)


def test_a_certificate_for_servers_alone_is_refused(case: Case) -> None:
    with pytest.raises(REFUSED):
        case.call(made("server", case.root, only_for_servers=True))
