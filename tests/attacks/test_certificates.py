"""Certificates that were forged, have ended, are another's, or were made for something else: in the handshake, at each
call, and when they are to be bound.
"""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from api import make_app
from control import Credentials, Onboarding, OrganisationStep, ServiceTerms, Systems
from control.errors import CertificateNotIssued, CertificateRefused
from kernel import OrganisationId, SystemId
from tests.api.administration.staff import RIVAL, Office
from tests.api.house import AALBORG, SUPPLIER, Client, House, serving
from tests.attacks.forgery import DAY, Holder, authority_of, made, renamed, subject, tampered
from tests.attacks.harness import (
    CLOSED,
    PATH,
    Said,
    answers,
    attack,
    case,
    ensure_on_record,
    ensure_refused,
    request,
    talk,
)

HANDSHAKE = "the handshake, certificate_untrusted"


@dataclass(frozen=True)
class Cast:
    house: House
    issuing: Holder
    root: Holder
    stranger: Holder
    one: x509.Certificate


@pytest.fixture(scope="module")
def cast(standing: tuple[House, int]) -> Cast:
    house = standing[0]
    issuing, root = authority_of(house.root / "authority")
    stranger, _ = authority_of(house.root / "strangers")
    one = x509.load_pem_x509_certificate((house.root / "one.pem").read_bytes())
    return Cast(house, issuing, root, stranger, one)


def call_with(house: House, port: int, holder: Holder, folder: Path, *, weak: bool = False) -> Said:
    """What a call with this certificate is told; CLOSED when the handshake ends it."""
    context = house.context(None)
    if weak:
        # OpenSSL would not even offer it, otherwise.
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.load_cert_chain(*holder.write(folder))
    try:
        said = talk(house, port, request("GET", PATH), context=context)
    except (ssl.SSLError, ConnectionError):
        return CLOSED
    return said[-1] if said else CLOSED


class TestInTheHandshake:
    @pytest.mark.parametrize(
        "forge",
        [
            case("self-signed", "a certificate that signed itself, with a bound one's subject",
                 lambda cast: made(None, name=cast.one.subject), by=HANDSHAKE),
            case("other-authority", "the same subject from another authority, which is sent along",
                 lambda cast: made(cast.stranger, name=cast.one.subject).sending(cast.stranger), by=HANDSHAKE),
            case("same-named-authority", "an authority of the trusted one's name, with another key",
                 lambda cast: made(made(None, name=cast.issuing.certificate.subject, authority=True),
                                   name=cast.one.subject), by=HANDSHAKE),
            case("other-key", "the trusted issuer's name over another key's signature",
                 lambda cast: made(cast.issuing, signed_with=ec.generate_private_key(ec.SECP256R1())), by=HANDSHAKE),
            case("changed-signature", "a good certificate with one bit of its signature changed",
                 lambda cast: tampered(made(cast.issuing), -1), by=HANDSHAKE),
            case("changed-subject", "a good certificate with another CVR number written into it",
                 lambda cast: renamed(made(cast.issuing, name=subject(cvr=RIVAL)), RIVAL.encode(), SUPPLIER.encode()),
                 by=HANDSHAKE),
            case("by-a-system", "a certificate that a system's certificate issued",
                 lambda cast: _below(made(cast.issuing)), by=HANDSHAKE),
            case("by-a-system-that-says-authority", "the same, from a system's certificate that cannot sign others",
                 lambda cast: _below(made(cast.issuing, name=cast.root.certificate.subject)), by=HANDSHAKE),
            case("below-path-length", "an authority below one that may have none below it",
                 lambda cast: _below(made(cast.issuing, authority=True)), by=HANDSHAKE),
            case("unrelated-authority", "a stranger's certificate with the trusted authority sent along",
                 lambda cast: made(cast.stranger).sending(cast.issuing), by=HANDSHAKE),
            case("for-servers", "a certificate for servers alone",
                 lambda cast: made(cast.issuing, purposes=[ExtendedKeyUsageOID.SERVER_AUTH]), by=HANDSHAKE),
            case("authority", "the issuing authority's own certificate, with its key", lambda cast: cast.issuing,
                 by=HANDSHAKE),
            case("for-mail", "a certificate for signing mail alone",
                 lambda cast: made(cast.issuing, purposes=[ExtendedKeyUsageOID.EMAIL_PROTECTION]), by=HANDSHAKE),
        ],
    )  # fmt: skip
    def test_ends(self, house: House, port: int, cast: Cast, tmp_path: Path, forge: Callable[[Cast], Holder]) -> None:
        assert call_with(house, port, forge(cast), tmp_path) is CLOSED
        assert ensure_on_record(house, "certificate_untrusted").system is None

    @attack("an RSA key of 1,024 bits", by="the handshake, or certificate_unknown; never bound")
    def test_a_weak_key(self, house: House, port: int, cast: Cast, tmp_path: Path) -> None:
        holder = made(cast.issuing, key=rsa.generate_private_key(65_537, 1_024))
        said = call_with(house, port, holder, tmp_path, weak=True)
        assert said is CLOSED or said.code == "certificate_unknown"

    @attack("a signature with SHA-1", by=HANDSHAKE)
    def test_sha_1(self, house: House, port: int, cast: Cast, tmp_path: Path) -> None:
        holder = signed_with_sha1(cast, tmp_path)
        assert holder.certificate.signature_hash_algorithm is not None
        assert holder.certificate.signature_hash_algorithm.name == "sha1"
        said = call_with(house, port, holder, tmp_path, weak=True)
        assert said is CLOSED or said.code == "certificate_unknown"

    @attack("two hundred authorities sent along", by="the handshake")
    def test_a_huge_chain(self, house: House, port: int, cast: Cast, tmp_path: Path) -> None:
        issuer, chain = made(None, name=subject("root of many"), authority=True), []
        for number in range(200):
            issuer = made(issuer, name=subject(f"authority {number} " + "x" * 40), authority=True)
            chain.append(issuer)
        assert call_with(house, port, made(issuer).sending(*reversed(chain)), tmp_path) is CLOSED
        assert talk(house, port, request("GET", PATH))[-1].status == 200

    @attack("TLS 1.1", by="the handshake")
    def test_an_old_version(self, house: House, port: int) -> None:
        context = house.context("one")
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            talk(house, port, request("GET", PATH), context=context)

    @attack("ciphers without encryption or without authentication", by="the handshake")
    def test_weak_ciphers(self, house: House, port: int) -> None:
        context = house.context("one")
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:eNULL:LOW:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            talk(house, port, request("GET", PATH), context=context)


class TestAtTheCall:
    @pytest.mark.parametrize(
        ("forge", "code"),
        [
            case("none", "no certificate", None, "certificate_missing", by="certificate_missing"),
            case("expired", "an expired certificate",
                 lambda cast: made(cast.issuing, start=datetime.now(UTC) - 20 * DAY, days=10), "certificate_expired",
                 by="certificate_expired"),
            case("future", "a certificate of tomorrow",
                 lambda cast: made(cast.issuing, start=datetime.now(UTC) + DAY), "certificate_not_yet_valid",
                 by="certificate_not_yet_valid"),
            case("unbound", "a good certificate that nobody bound", lambda cast: made(cast.issuing),
                 "certificate_unknown", by="certificate_unknown"),
            case("twin", "a bound one's issuer, subject and serial number, over another key",
                 lambda cast: made(cast.issuing, name=cast.one.subject, serial=cast.one.serial_number),
                 "certificate_unknown", by="certificate_unknown"),
            case("employee", "an employee's certificate", lambda cast: made(cast.issuing, name=subject(kind="E")),
                 "certificate_unknown", by="certificate_unknown"),
            case("person", "a person's certificate", lambda cast: made(cast.issuing, name=subject(kind="P")),
                 "certificate_unknown", by="certificate_unknown"),
        ],
    )  # fmt: skip
    def test_is_refused_and_told_why(
        self, house: House, port: int, cast: Cast, tmp_path: Path, forge: Callable[[Cast], Holder] | None, code: str
    ) -> None:
        if forge is None:
            said = talk(house, port, request("GET", PATH), certificate=None)[-1]
        else:
            said = call_with(house, port, forge(cast), tmp_path)
        ensure_refused([said], code)
        assert ensure_on_record(house, code).system is None

    @attack("a user's employee certificate, at a service", by="certificate_unknown")
    def test_a_users_certificate_calls_no_service(self, house: House, port: int) -> None:
        ensure_refused(talk(house, port, request("GET", PATH), certificate="data-controller"), "certificate_unknown")

    @attack("a system's certificate, at the administration", by="not_for_systems")
    def test_a_system_administers_nothing(self, house: House, port: int) -> None:
        for certificate in ("one", "operator"):
            said = talk(house, port, request("GET", "/v1/admin/organisations"), certificate=certificate)
            assert said[-1].status in {401, 403}, said[-1].code

    @attack("a certificate that was revoked here, on a connection that is open", by="certificate_revoked")
    def test_revoked_here(self, house: House, port: int) -> None:
        doomed(house, "revoked-open")
        client = Client(house, port, "revoked-open")
        assert client.get(PATH).status == 200
        house.control.revoke_certificate(house.fingerprint("revoked-open"))
        house.settle()
        assert client.get(PATH).code == "certificate_revoked"
        client.close()

    @attack("the certificate of a system that was retired", by="system_retired or certificate_revoked")
    def test_a_retired_system(self, house: House, port: int) -> None:
        doomed(house, "retired")
        Systems(house.control).retire(SystemId(house.systems["retired"]))
        house.settle()
        said = talk(house, port, request("GET", PATH), certificate="retired")
        ensure_refused(said, "system_retired", "certificate_revoked")

    @attack("the certificate of a system whose organisation was suspended", by="organisation_not_active")
    def test_a_suspended_organisation(self, house: House, port: int, office: Office) -> None:
        house.add_system("of-rival", RIVAL)
        house.agree("of-rival", "of-rival", AALBORG, {"municipalities": ServiceTerms()})
        house.settle()
        assert talk(house, port, request("GET", PATH), certificate="of-rival")[-1].status == 200
        rival = OrganisationId(office.organisation(RIVAL))
        Onboarding(house.control).step(rival, OrganisationStep.SUSPEND)
        try:
            house.settle()
            said = talk(house, port, request("GET", PATH), certificate="of-rival")
            ensure_refused(said, "organisation_not_active")
            who = talk(house, port, request("GET", "/v1/admin/inbox"), certificate="rival-administrator")
            ensure_refused(who, "organisation_not_active")
        finally:
            Onboarding(house.control).step(rival, OrganisationStep.RESUME)
            house.settle()

    @pytest.mark.parametrize(
        ("root", "which"),
        [
            case("listed", "a certificate on its issuer's list", False, "certificate", by="certificate_revoked"),
            case("issuer-listed", "a certificate whose issuer stands on the root's list", True, "issuer",
                 by="certificate_revoked"),
        ],
    )  # fmt: skip
    def test_revoked_by_a_list(self, house: House, cast: Cast, tmp_path: Path, root: bool, which: str) -> None:
        for name in ("trust", "crl"):
            (tmp_path / name).mkdir()
        shutil.copy(house.root / "trust" / "authority.pem", tmp_path / "trust")
        serial = (cast.one if which == "certificate" else cast.issuing.certificate).serial_number
        (tmp_path / "crl" / "list.pem").write_bytes(house.authority.revocation_list([serial], root=root))
        with (
            house.live_tls(tmp_path) as tls,
            serving(house, make_app(house.doors(tls=tls)), context=tls.context) as (_, port),
        ):
            ensure_refused(talk(house, port, request("GET", PATH)), "certificate_revoked")
            ensure_on_record(house, "certificate_revoked")

    @pytest.mark.parametrize(
        "version",
        [
            case("1.2", "a TLS 1.2 session taken up again after the revocation", ssl.TLSVersion.TLSv1_2,
                 by="no session is taken up"),
            case("1.3", "a TLS 1.3 session taken up again after the revocation", ssl.TLSVersion.TLSv1_3,
                 by="no session is taken up"),
        ],
    )  # fmt: skip
    def test_a_session_is_not_taken_up(self, house: House, port: int, version: ssl.TLSVersion) -> None:
        name = f"resumed-{version.name}"
        doomed(house, name)
        context = house.context(name)
        context.minimum_version = context.maximum_version = version
        first, _ = _session(context, port, None)
        house.control.revoke_certificate(house.fingerprint(name))
        house.settle()
        second, said = _session(context, port, first.session)
        assert not second.session_reused
        ensure_refused(answers(said), "certificate_revoked")


class TestToBeBound:
    @pytest.mark.parametrize(
        ("forge", "rule"),
        [
            case("employee", "an employee's certificate for a system",
                 lambda cast: made(cast.issuing, name=subject(kind="E")), "certificate.kind", by="certificate.kind"),
            case("person", "a person's certificate for a system",
                 lambda cast: made(cast.issuing, name=subject(kind="P")), "certificate.kind", by="certificate.kind"),
            case("other-organisation", "another organisation's certificate",
                 lambda cast: made(cast.issuing, name=subject(cvr=RIVAL)), "certificate.cvr", by="certificate.cvr"),
            case("two-organisations", "a subject that names two CVR numbers",
                 lambda cast: made(cast.issuing, name=_with(NameOID.ORGANIZATION_IDENTIFIER, f"NTRDK-{RIVAL}")),
                 "certificate.cvr", by="certificate.cvr"),
            case("two-kinds", "a subject of two kinds, an employee's and an organisation's",
                 lambda cast: made(cast.issuing, name=_with(NameOID.SERIAL_NUMBER, "UI:DK-E:G:1")),
                 "certificate.kind", by="certificate.kind"),
            case("cvr-in-common-name", "another's CVR number, one's own in the common name alone",
                 lambda cast: made(cast.issuing, name=subject(f"NTRDK-{SUPPLIER}", cvr=RIVAL)), "certificate.cvr",
                 by="certificate.cvr"),
            case("stranger", "a stranger's certificate", lambda cast: made(cast.stranger), "certificate.issuer",
                 by="certificate.issuer"),
            case("self-signed", "a certificate that signed itself", lambda cast: made(None), "certificate.issuer",
                 by="certificate.issuer"),
            case("authority", "an authority's certificate", lambda cast: made(cast.issuing, authority=True),
                 "certificate.authority", by="certificate.authority"),
            case("for-servers", "a certificate for servers alone",
                 lambda cast: made(cast.issuing, purposes=[ExtendedKeyUsageOID.SERVER_AUTH]),
                 "certificate.extended_key_usage", by="certificate.extended_key_usage"),
            case("no-signing", "a certificate whose key may not sign",
                 lambda cast: made(cast.issuing, digital_signature=False), "certificate.key_usage",
                 by="certificate.key_usage"),
            case("weak-key", "an RSA key of 1,024 bits",
                 lambda cast: made(cast.issuing, key=rsa.generate_private_key(65_537, 1_024)), "certificate.key",
                 by="certificate.key"),
            case("odd-curve", "a key on a curve that is not taken",
                 lambda cast: made(cast.issuing, key=ec.generate_private_key(ec.SECP256K1())), "certificate.key",
                 by="certificate.key"),
            case("expired", "an expired certificate",
                 lambda cast: made(cast.issuing, start=datetime.now(UTC) - 20 * DAY, days=10), "certificate.valid_to",
                 by="certificate.valid_to"),
        ],
    )  # fmt: skip
    def test_is_refused(
        self, house: House, office: Office, cast: Cast, forge: Callable[[Cast], Holder], rule: str
    ) -> None:
        system = office.system(f"binding {datetime.now(UTC).timestamp()}")
        with pytest.raises(CertificateRefused) as refused:
            Credentials(house.control).bind(SystemId(system), forge(cast).pem, trust=house.tls.trust())
        assert refused.value.rule == rule
        assert refused.value.remedy
        assert not Credentials(house.control).of(SystemId(system))

    @attack("a signature with SHA-1", by="certificate.signature")
    def test_sha_1(self, house: House, office: Office, cast: Cast, tmp_path: Path) -> None:
        system = SystemId(office.system("binding sha-1"))
        with pytest.raises(CertificateRefused) as refused:
            Credentials(house.control).bind(system, signed_with_sha1(cast, tmp_path).pem, trust=house.tls.trust())
        assert refused.value.rule == "certificate.signature"

    @attack("a certificate that another system is bound to", by="certificate.one_system")
    def test_anothers(self, house: House, office: Office) -> None:
        system = SystemId(office.system("binding another's"))
        with pytest.raises(CertificateRefused):
            Credentials(house.control).bind(system, (house.root / "one.pem").read_bytes(), trust=house.tls.trust())

    @attack("a signing request that is signed with another key", by="request.signature")
    def test_a_request_without_its_key(self, house: House, office: Office) -> None:
        own = ec.generate_private_key(ec.SECP256R1())
        asked = x509.CertificateSigningRequestBuilder().subject_name(subject()).sign(own, SHA256())
        content = bytearray(asked.public_bytes(Encoding.DER))
        content[-1] ^= 1
        with pytest.raises(CertificateNotIssued):
            self.request(house, office, bytes(content))

    @attack("a signing request of another kind of key", by="certificate.key")
    def test_a_request_with_another_kind_of_key(self, house: House, office: Office) -> None:
        asked = x509.CertificateSigningRequestBuilder().subject_name(subject())
        with pytest.raises(CertificateNotIssued) as refused:
            self.request(
                house, office, asked.sign(ed25519.Ed25519PrivateKey.generate(), None).public_bytes(Encoding.PEM)
            )
        assert refused.value.rule == "certificate.key"

    @attack("a signing request in another's name that asks to be an authority", by="of it the key alone counts")
    def test_a_request_that_asks_for_more(self, house: House, office: Office) -> None:
        own = ec.generate_private_key(ec.SECP256R1())
        asked = (
            x509.CertificateSigningRequestBuilder()
            .subject_name(subject(cvr=RIVAL))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(own, SHA256())
        )
        answered = self.request(house, office, asked.public_bytes(Encoding.PEM))
        made_of_it = x509.load_pem_x509_certificate(answered)
        assert RIVAL not in made_of_it.subject.rfc4514_string()
        assert SUPPLIER in made_of_it.subject.rfc4514_string()
        assert not made_of_it.extensions.get_extension_for_class(x509.BasicConstraints).value.ca

    def request(self, house: House, office: Office, content: bytes) -> bytes:
        system = SystemId(office.system(f"asking {datetime.now(UTC).timestamp()}"))
        trust = house.tls.trust()
        return Credentials(house.control).request(system, content, authority=house.authority, trust=trust).chain_pem


def doomed(house: House, name: str) -> None:
    """A system that may call."""
    house.add_system(name)
    house.agree(name, name, AALBORG, {"municipalities": ServiceTerms()})
    house.settle()


def signed_with_sha1(cast: Cast, folder: Path) -> Holder:
    """By OpenSSL, since no library of ours would sign with it."""
    good = made(cast.issuing)
    issuer = (("issuer.pem", cast.issuing.pem), ("issuer.key", cast.issuing.key_pem))
    for name, content in (*issuer, ("own.key", good.key_pem)):
        (folder / name).write_bytes(content)
    openssl = ["openssl", "x509", "-req", "-sha1", "-days", "30", "-CA", "issuer.pem", "-CAkey", "issuer.key"]
    name = f"/C=DK/organizationIdentifier=NTRDK-{SUPPLIER}/O=x/serialNumber=UI:DK-O:G:1/CN=weak"
    asked = subprocess.run(
        ["openssl", "req", "-new", "-key", "own.key", "-subj", name], cwd=folder, capture_output=True, check=True
    )
    done = subprocess.run(
        [*openssl, "-set_serial", "4711"], cwd=folder, input=asked.stdout, capture_output=True, check=True
    )
    return Holder(x509.load_pem_x509_certificate(done.stdout), good.key)


def _below(issuer: Holder) -> Holder:
    return made(issuer).sending(issuer)


def _with(oid: x509.ObjectIdentifier, value: str) -> x509.Name:
    """The usual subject, with this beside it."""
    return x509.Name([*subject(), x509.NameAttribute(oid, value)])


def _session(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSocket, bytes]:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname="localhost", session=session) as wire,
    ):
        wire.sendall(request("GET", PATH))
        said = b""
        while more := wire.recv(65_536):
            said += more
        return wire, said
