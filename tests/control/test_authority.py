"""The test authority: what it issues works with OpenSSL, Python's ssl and curl, and says that it is a test."""

import socket
import ssl
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from control import IssuedCertificate, TestAuthority, fingerprint_of
from control.errors import AuthorityInvalid, CertificateNotIssued

CVR = "12345678"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> TestAuthority:
    """Valid now: OpenSSL looks at the real clock."""
    return TestAuthority.open_or_create(tmp_path_factory.mktemp("today"))


def a_client(authority: TestAuthority, **choices: object) -> IssuedCertificate:
    return authority.issue_system(CVR, "Fagsystemer ApS", "care", **choices)  # type: ignore[arg-type]


def context(
    folder: Path, authority: TestAuthority, purpose: ssl._SSLMethod, own: IssuedCertificate | None
) -> ssl.SSLContext:
    made = ssl.SSLContext(purpose)
    made.verify_mode = ssl.CERT_REQUIRED
    # What newer Pythons demand by default: critical basic constraints, key identifiers, key usage.
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_verify_locations(cadata=authority.ca_pem.decode())
    if own is not None:
        folder.mkdir()
        (folder / "cert.pem").write_bytes(own.cert_pem)
        (folder / "key.pem").write_bytes(own.key_pem)
        made.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return made


@contextmanager
def a_server(folder: Path, authority: TestAuthority) -> Iterator[tuple[int, list[bytes]]]:
    """Answers one HTTP request over mutual TLS; yields its port and the certificates (DER) that it was shown."""
    tls = context(folder, authority, ssl.PROTOCOL_TLS_SERVER, authority.issue_server(["knudepunkt.example"]))
    seen: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        try:
            with tls.wrap_socket(connection, server_side=True) as secure:
                seen.append(secure.getpeercert(binary_form=True) or b"")
                secure.recv(4096)
                secure.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfine")
        except (ssl.SSLError, ConnectionError):
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1], seen
        thread.join()


def answer_of(port: int, tls: ssl.SSLContext, name: str) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port)) as raw,
        tls.wrap_socket(raw, server_hostname=name) as secure,
    ):
        secure.sendall(b"GET / HTTP/1.1\r\n\r\n")
        # In TLS 1.3 a client hears of its refusal here, at its first read; some servers just hang up.
        return secure.recv(4096)


class TestHandshake:
    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "knudepunkt.example"])
    def test_client_and_server_accept_each_other(self, authority: TestAuthority, tmp_path: Path, name: str) -> None:
        own = a_client(authority)
        tls = context(tmp_path / "client", authority, ssl.PROTOCOL_TLS_CLIENT, own)
        with a_server(tmp_path / "server", authority) as (port, seen):
            assert answer_of(port, tls, name).startswith(b"HTTP/1.1 200")
        shown = x509.load_der_x509_certificate(seen[0])
        assert fingerprint_of(shown) == fingerprint_of(x509.load_pem_x509_certificate(own.cert_pem))

    @pytest.mark.parametrize("kind", ["expired", "of another authority", "none"])
    def test_a_bad_client_is_not_let_in(self, authority: TestAuthority, tmp_path: Path, kind: str) -> None:
        own: IssuedCertificate | None = None
        if kind == "expired":
            own = a_client(authority, not_before=datetime.now(UTC) - timedelta(days=9), days=3)
        if kind == "of another authority":
            own = a_client(TestAuthority.open_or_create(tmp_path / "another"))
        tls = context(tmp_path / "client", authority, ssl.PROTOCOL_TLS_CLIENT, own)
        with (
            a_server(tmp_path / "server", authority) as (port, seen),
            pytest.raises((ssl.SSLError, ConnectionError)),
        ):
            answer_of(port, tls, "localhost")
        assert not seen

    def test_curl_accepts_the_server_and_is_accepted(self, authority: TestAuthority, tmp_path: Path) -> None:
        context(tmp_path / "client", authority, ssl.PROTOCOL_TLS_CLIENT, a_client(authority))
        (tmp_path / "ca.pem").write_bytes(authority.ca_pem)
        with a_server(tmp_path / "server", authority) as (port, _):
            done = subprocess.run(
                ["curl", "--silent", "--show-error", "--cert", "client/cert.pem", "--key", "client/key.pem",
                 "--cacert", "ca.pem", f"https://127.0.0.1:{port}/"],
                cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "fine", "")

    def test_openssl_verifies_the_chain_strictly(self, authority: TestAuthority, tmp_path: Path) -> None:
        (tmp_path / "ca.pem").write_bytes(authority.ca_pem)
        for made, purpose in ((a_client(authority), "sslclient"), (authority.issue_server([]), "sslserver")):
            (tmp_path / "leaf.pem").write_bytes(made.cert_pem)
            done = subprocess.run(
                ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", "leaf.pem"],
                cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr


class TestShape:
    def test_a_systems_certificate_is_as_the_real_ones(self, authority: TestAuthority) -> None:
        made = x509.load_pem_x509_certificate(a_client(authority).cert_pem)
        kinds = [attribute.oid for attribute in made.subject]
        assert kinds == [
            NameOID.COUNTRY_NAME,
            NameOID.ORGANIZATION_IDENTIFIER,
            NameOID.ORGANIZATION_NAME,
            NameOID.SERIAL_NUMBER,
            NameOID.COMMON_NAME,
        ]
        usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
        assert usage.digital_signature
        assert usage.key_encipherment
        with pytest.raises(x509.ExtensionNotFound):
            made.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
        assert (made.not_valid_after_utc - made.not_valid_before_utc).days == 3 * 365

    def test_danish_letters_are_kept(self, authority: TestAuthority) -> None:
        made = x509.load_pem_x509_certificate(authority.issue_system(CVR, "ø" * 32, "pærer").cert_pem)
        (found,) = made.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        assert found.value == "ø" * 32

    def test_every_name_of_the_authority_says_that_it_is_a_test(self, authority: TestAuthority) -> None:
        for made in x509.load_pem_x509_certificates(authority.ca_pem):
            for oid in (NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME):
                (found,) = made.subject.get_attributes_for_oid(oid)
                assert "test" in str(found.value).lower()

    def test_the_server_is_always_this_machine_too(self, authority: TestAuthority) -> None:
        made = x509.load_pem_x509_certificate(authority.issue_server(["a.example", "10.0.0.7"]).cert_pem)
        names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["a.example", "localhost"]
        assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7", "127.0.0.1", "::1"]

    @pytest.mark.parametrize(
        ("cvr", "organisation", "system", "days"),
        [("1234567", "Firma", "care", 9), (CVR, "", "care", 9), (CVR, "x" * 65, "care", 9), (CVR, "ø" * 33, "care", 9),
         (CVR, "Firma", "x" * 65, 9), (CVR, "Firma", "care", 0)],
    )  # fmt: skip
    def test_what_does_not_fit_in_a_certificate_is_refused(
        self, authority: TestAuthority, cvr: str, organisation: str, system: str, days: int
    ) -> None:
        with pytest.raises(CertificateNotIssued):
            authority.issue_system(cvr, organisation, system, days=days)


class TestFolder:
    def test_it_is_the_same_authority_the_next_time(self, tmp_path: Path) -> None:
        first, again = (TestAuthority.open_or_create(tmp_path / "authority") for _ in range(2))
        assert first.ca_pem == again.ca_pem

    def test_its_keys_are_for_their_owner_only(self, tmp_path: Path) -> None:
        TestAuthority.open_or_create(tmp_path / "authority")
        keys = list((tmp_path / "authority").glob("*.key"))
        assert len(keys) == 2
        assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}

    def test_one_that_was_interrupted_while_it_was_made_is_made_anew(self, tmp_path: Path) -> None:
        TestAuthority.open_or_create(tmp_path / "authority")
        (tmp_path / "authority" / "issuing.key").unlink()
        (tmp_path / "authority" / "root.key.part").write_bytes(b"half")
        made = TestAuthority.open_or_create(tmp_path / "authority")
        assert made.issue_server([]).cert_pem

    def test_a_damaged_one_is_the_operators_to_mend(self, tmp_path: Path) -> None:
        TestAuthority.open_or_create(tmp_path / "authority")
        (tmp_path / "authority" / "issuing.pem").write_bytes(b"damaged")
        with pytest.raises(AuthorityInvalid):
            TestAuthority.open_or_create(tmp_path / "authority")
