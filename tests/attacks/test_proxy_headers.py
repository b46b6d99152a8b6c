"""Headers that speak for somebody else: the certificate of RFC 9440, and the address of RFC 7239."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from api import Proxies, ProxySettings, make_app
from control import ServiceTerms
from kernel import CallAnswered
from tests.api.house import AALBORG, CLOCK, House, serving
from tests.attacks.forgery import DAY, Holder, authority_of, field_of, made, subject, tampered
from tests.attacks.harness import PATH, Said, attack, case, ensure_on_record, ensure_refused, post, request, talk

HEADER = "client_cert_header_refused"
UNTRUSTED = "certificate_untrusted"


@dataclass(frozen=True)
class Cast:
    """Whose certificates play along. one   bound to a system with an agreement; its own certificate alone"""

    house: House
    issuing: Holder
    root: Holder
    stranger: Holder
    one: bytes

    @property
    def good(self) -> str:
        return f"Client-Cert: {field_of(self.one)}"


@pytest.fixture(scope="module")
def cast(standing: tuple[House, int]) -> Cast:
    house = standing[0]
    if not (house.root / "proxy.pem").exists():
        house.issue("proxy")
    issuing, root = authority_of(house.root / "authority")
    stranger, _ = authority_of(house.root / "strangers")
    return Cast(house, issuing, root, stranger, der_of(house, "one"))


@pytest.fixture(scope="module")
def proxied(standing: tuple[House, int], cast: Cast) -> Iterator[int]:
    """The port of a server that believes whoever shows the proxy's certificate, from this machine."""
    with believing(standing[0], certificates=(standing[0].fingerprint("proxy"),)) as port:
        yield port


@contextmanager
def believing(house: House, addresses: tuple[str, ...] = ("127.0.0.1",), **settings: object) -> Iterator[int]:
    proxies = Proxies(ProxySettings(addresses=addresses, **settings))  # type: ignore[arg-type]
    with serving(house, make_app(replace(house.doors(), proxies=proxies))) as (_, port):
        yield port


def der_of(house: House, name: str) -> bytes:
    found = x509.load_pem_x509_certificate((house.root / f"{name}.pem").read_bytes())
    return found.public_bytes(Encoding.DER)


def call(house: House, port: int, *fields: str, certificate: str | None = "proxy") -> Said:
    return talk(house, port, request("GET", PATH, *fields), certificate=certificate)[-1]


def test_the_proxy_speaks_for_a_system(house: House, cast: Cast, proxied: int) -> None:
    assert call(house, proxied, cast.good, "Forwarded: for=192.0.2.7").status == 200
    fact = house.facts[-1]
    assert isinstance(fact, CallAnswered)
    assert fact.system == house.systems["one"]


class TestFromElsewhere:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            case("client-cert", "a bound certificate in Client-Cert, sent without any proxy", "Client-Cert", "good",
                 by=HEADER),
            case("upper-case", "the same header in capitals", "CLIENT-CERT", "good", by=HEADER),
            case("chain-alone", "Client-Cert-Chain alone", "Client-Cert-Chain", "good", by=HEADER),
            case("empty", "an empty Client-Cert", "Client-Cert", "", by=HEADER),
            case("nonsense", "nonsense in Client-Cert", "Client-Cert", "nonsense", by=HEADER),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("certificate", ["two", None])
    def test_a_header_is_refused(
        self, house: House, port: int, cast: Cast, name: str, value: str, certificate: str | None
    ) -> None:
        value = field_of(cast.one) if value == "good" else value
        ensure_refused([call(house, port, f"{name}: {value}", certificate=certificate)], HEADER)
        assert ensure_on_record(house, HEADER).system is None

    @attack("Client-Cert on a public path, where no certificate is needed", by=HEADER)
    @pytest.mark.parametrize("path", ["/v1/catalogue", "/health/live", "/nowhere"])
    def test_also_where_no_certificate_is_needed(self, house: House, port: int, cast: Cast, path: str) -> None:
        ensure_refused(talk(house, port, request("GET", path, cast.good)), HEADER)
        ensure_on_record(house, HEADER)

    @attack("Client_Cert with an underscore, which some servers read as the same", by="certificate_missing")
    def test_an_underscore_is_another_header(self, house: House, port: int, cast: Cast) -> None:
        forged = cast.good.replace("Client-Cert", "Client_Cert")
        ensure_refused([call(house, port, forged, certificate=None)], "certificate_missing")

    @attack("Client-Cert in the trailer of a chunked body", by="certificate_missing")
    def test_a_trailer_is_no_header(self, house: House, port: int, cast: Cast) -> None:
        head = request("POST", "/v1/services/municipalities/lookup", "Content-Type: application/json",
                       "Transfer-Encoding: chunked", "Trailer: Client-Cert")  # fmt: skip
        body = b'f\r\n{"key": "0851"}\r\n0\r\n' + cast.good.encode() + b"\r\n\r\n"
        ensure_refused(talk(house, port, head + body, certificate=None), "certificate_missing")

    @attack("X-Forwarded-For and Forwarded from a client, to appear under another address", by="not believed")
    def test_an_address_is_not_believed(self, house: House, port: int) -> None:
        fields = ("Forwarded: for=192.0.2.7", "X-Forwarded-For: 192.0.2.7", "X-Real-IP: 192.0.2.7")
        ensure_refused([call(house, port, *fields, certificate=None)], "certificate_missing")
        assert house.refused().peer == "127.0.0.1"


class TestAProxyThatIsNone:
    @attack("the proxy's address, without the proxy's certificate", by=HEADER)
    def test_its_address_alone_is_not_enough(self, house: House, cast: Cast, proxied: int) -> None:
        ensure_refused([call(house, proxied, cast.good, certificate=None)], HEADER)
        ensure_on_record(house, HEADER)

    @attack("the proxy's address, with a system's certificate instead of the proxy's", by=HEADER)
    def test_a_systems_certificate_is_not_the_proxys(self, house: House, cast: Cast, proxied: int) -> None:
        ensure_refused([call(house, proxied, cast.good, certificate="two")], HEADER)

    @attack("the proxy's certificate, from another address", by=HEADER)
    def test_its_certificate_alone_is_not_enough(self, house: House, cast: Cast) -> None:
        with believing(house, ("192.0.2.0/24",), certificates=(house.fingerprint("proxy"),)) as port:
            ensure_refused([call(house, port, cast.good)], HEADER)

    @attack("the proxy's certificate after its issuer took it back", by=HEADER)
    def test_a_revoked_certificate_makes_no_proxy(self, house: House, cast: Cast) -> None:
        house.issue("former-proxy")
        proxies = Proxies(ProxySettings(addresses=("127.0.0.1",), certificates=(house.fingerprint("former-proxy"),)))
        serial = x509.load_der_x509_certificate(der_of(house, "former-proxy")).serial_number
        (house.root / "crl" / "former.crl").write_bytes(house.authority.revocation_list([serial]))
        try:
            with house.live_tls() as tls:
                doors = replace(house.doors(tls=tls), proxies=proxies)
                with serving(house, make_app(doors), context=tls.context) as (_, port):
                    ensure_refused([call(house, port, cast.good, certificate="former-proxy")], HEADER)
        finally:
            (house.root / "crl" / "former.crl").unlink()

    @attack("no certificate through a proxy whose own certificate is bound to a system", by="certificate_missing")
    @pytest.mark.parametrize("named", [True, False])
    def test_its_own_certificate_speaks_for_no_caller(self, house: House, named: bool) -> None:
        certificates = (house.fingerprint("one"),) if named else ()
        with believing(house, certificates=certificates) as port:
            ensure_refused([call(house, port, certificate="one")], "certificate_missing")
            assert house.refused().system is None

    @attack("no certificate, on the proxy's connection over which another's certificate came before",
            by="certificate_missing")  # fmt: skip
    def test_nothing_stays_on_the_connection(self, house: House, cast: Cast, proxied: int) -> None:
        first, second = request("GET", PATH, cast.good, close=False), request("GET", PATH)
        said = talk(house, proxied, first, second, certificate="proxy")
        assert [each.status for each in said] == [200, 401]
        ensure_refused(said, "certificate_missing")


class TestTheForm:
    @pytest.mark.parametrize(
        "shape",
        [
            case("bare-base64", "base64 without its colons", "{base64}", by=HEADER),
            case("token", "a token instead of a byte sequence", "certificate", by=HEADER),
            case("string", "a string instead of a byte sequence", '"{base64}"', by=HEADER),
            case("parameter", "a byte sequence with a parameter", ":{base64}:;verified=?1", by=HEADER),
            case("two-items", "two certificates in one Client-Cert", ":{base64}:, :{base64}:", by=HEADER),
            case("nothing", "an empty byte sequence", "::", by=HEADER),
            case("no-padding", "base64 without its padding", ":AAA:", by=HEADER),
            case("meaningless-bits", "base64 whose last bits mean nothing", ":AAB=:", by=HEADER),
            case("url-alphabet", "base64 in the alphabet of addresses", ":AA-_:", by=HEADER),
            case("blanks", "blanks within the base64", ":AAAA AAAA:", by=HEADER),
            case("escaped-pem", "a PEM text, percent-encoded", "-----BEGIN%20CERTIFICATE-----%0AMIIB", by=HEADER),
            case("no-certificate", "bytes that are no certificate", ":AAAA:", by=HEADER),
            case("more-after-it", "a certificate with bytes behind its end", ":{longer}:", by=HEADER),
            case("half", "half a certificate", ":{half}:", by=HEADER),
            case("too-large", "a certificate of 17,000 bytes", ":{huge}:", by=HEADER),
            case("colon-in-it", "colons all over", ":{base64}::{base64}:", by=HEADER),
        ],
    )
    def test_is_read_strictly(self, house: House, cast: Cast, proxied: int, shape: str) -> None:
        def text(content: bytes) -> str:
            return base64.b64encode(content).decode()

        value = shape.format(
            base64=text(cast.one), longer=text(cast.one + b"\0\0\0"), half=text(cast.one[: len(cast.one) // 2]),
            huge=text(bytes(17_000)),
        )  # fmt: skip
        ensure_refused([call(house, proxied, f"Client-Cert: {value}")], HEADER)
        ensure_on_record(house, HEADER)

    @attack("Client-Cert twice: one's own, and another's", by=HEADER)
    def test_twice(self, house: House, cast: Cast, proxied: int) -> None:
        other = f"Client-Cert: {field_of(der_of(house, 'two'))}"
        for fields in ((cast.good, other), (other, cast.good), (cast.good, cast.good)):
            ensure_refused([call(house, proxied, *fields)], HEADER)

    @attack("Client-Cert-Chain without Client-Cert", by=HEADER)
    def test_a_chain_of_nothing(self, house: House, cast: Cast, proxied: int) -> None:
        ensure_refused([call(house, proxied, f"Client-Cert-Chain: {field_of(cast.issuing.der)}")], HEADER)

    @attack("a chain of 50 authorities, to make the verification dear", by=HEADER)
    def test_a_long_chain(self, house: House, cast: Cast, proxied: int) -> None:
        chain = ", ".join([field_of(cast.issuing.der)] * 50)
        ensure_refused([call(house, proxied, cast.good, f"Client-Cert-Chain: {chain}")], HEADER)
        several = [f"Client-Cert-Chain: {field_of(cast.issuing.der)}"] * 50
        ensure_refused([call(house, proxied, cast.good, *several)], HEADER)

    @attack("Client-Cert folded over two lines (obs-fold)", by="http_invalid or the header refused")
    def test_a_folded_header(self, house: House, cast: Cast, proxied: int) -> None:
        folded = cast.good[:60] + "\r\n " + cast.good[60:]
        ensure_refused([call(house, proxied, folded)], HEADER, "http_invalid")

    def test_a_chain_that_closes_the_gap_is_taken(self, house: House, cast: Cast, proxied: int) -> None:
        chain = f"Client-Cert-Chain: {field_of(cast.issuing.der, cast.root.der)}"
        assert call(house, proxied, cast.good, chain).status == 200


class TestTheCertificate:
    @pytest.mark.parametrize(
        "which",
        [
            case("self-signed", "a certificate that signed itself, with a bound one's subject", "self", by=UNTRUSTED),
            case("other-authority", "the same subject from another authority", "stranger", by=UNTRUSTED),
            case("same-named-authority", "an authority of the trusted one's name, with another key", "imposter",
                 by=UNTRUSTED),
            case("other-key", "a trusted issuer's name over a signature of another key", "wrong-key", by=UNTRUSTED),
            case("changed-signature", "a bound certificate with one bit of its signature changed", "signature",
                 by=UNTRUSTED),
            case("by-a-system", "a certificate that a system's certificate signed, with that system's as its chain",
                 "by-system", by=UNTRUSTED),
            case("for-servers", "a certificate for servers alone", "server", by=UNTRUSTED),
            case("no-signing", "a certificate whose key may not sign", "usage", by=UNTRUSTED),
            case("authority", "the issuing authority's own certificate", "authority", by=UNTRUSTED),
            case("weak-key", "a certificate with an RSA key of 1,024 bits", "weak", by=UNTRUSTED),
            case("chain-through-stranger", "a bound certificate's subject, its chain through a stranger's authority",
                 "gap", by=UNTRUSTED),
            case("below-path-length", "an authority below one that may have none below it", "path", by=UNTRUSTED),
            case("expired", "an expired certificate", "expired", by="certificate_expired"),
            case("future", "a certificate of tomorrow", "tomorrow", by="certificate_not_yet_valid"),
            case("unbound", "a good certificate that is bound to no system", "unbound", by="certificate_unknown"),
            case("twin", "a bound one's issuer, subject and serial number, over another key", "twin",
                 by="certificate_unknown"),
        ],
    )  # fmt: skip
    def test_is_judged_as_in_a_handshake(
        self, house: House, cast: Cast, proxied: int, request: pytest.FixtureRequest, which: str
    ) -> None:
        holder = shown(cast, which)
        fields = [f"Client-Cert: {field_of(holder.der)}"]
        if holder.sent_along:
            along = [each.public_bytes(Encoding.DER) for each in holder.sent_along]
            fields.append(f"Client-Cert-Chain: {field_of(*along)}")
        wanted = next(iter(request.node.iter_markers("attack"))).kwargs["by"]
        ensure_refused([call(house, proxied, *fields)], wanted)
        assert ensure_on_record(house, wanted).system is None

    @attack("a certificate that was revoked here, through a connection of the proxy's that is open",
            by="certificate_revoked")  # fmt: skip
    def test_revoked_here(self, house: House, proxied: int) -> None:
        house.add_system("doomed-behind")
        house.agree("doomed-behind", "doomed-behind", AALBORG, {"municipalities": ServiceTerms()})
        house.settle()
        field = f"Client-Cert: {field_of(der_of(house, 'doomed-behind'))}"
        assert call(house, proxied, field).status == 200
        house.control.revoke_certificate(house.fingerprint("doomed-behind"))
        house.settle()
        ensure_refused([call(house, proxied, field)], "certificate_revoked")

    @attack("a certificate on its issuer's list, after the proxy was told that it is good", by="certificate_revoked")
    def test_revoked_by_its_issuer(self, house: House, cast: Cast) -> None:
        proxies = Proxies(ProxySettings(addresses=("127.0.0.1",)))
        serial = x509.load_der_x509_certificate(cast.one).serial_number
        lists = house.root / "crl" / "one.crl"
        with house.live_tls() as before:
            app = make_app(replace(house.doors(tls=before), proxies=proxies))
            with serving(house, app, context=before.context) as (_, port):
                assert call(house, port, cast.good).status == 200
        lists.write_bytes(house.authority.revocation_list([serial]))
        try:
            with house.live_tls() as after:
                doors = replace(house.doors(tls=after), proxies=proxies)
                with serving(house, make_app(doors), context=after.context) as (_, port):
                    ensure_refused([call(house, port, cast.good)], "certificate_revoked")
        finally:
            lists.unlink()


class TestPeople:
    @attack("an application without a certificate through the proxy, whose own would be the proof", by="proof_missing")
    def test_the_proxys_certificate_proves_nothing(self, house: House, proxied: int) -> None:
        asked = {
            "kind": "supplier", "cvr": "30808479", "name": "Ny", "email": "a@ny.example", "user_name": "Nina",
            "user_email": "nina@ny.example",
        }  # fmt: skip
        said = talk(house, proxied, post("/v1/admin/applications", asked), certificate="proxy")
        ensure_refused(said, "proof_missing")

    @attack("a user's certificate in Client-Cert, sent without any proxy", by=HEADER)
    def test_a_user_is_not_taken_from_elsewhere(self, house: House, port: int, proxied: int) -> None:
        field = f"Client-Cert: {field_of(der_of(house, 'operator-person'))}"
        me = request("GET", "/v1/me", field)
        assert talk(house, proxied, me, certificate="proxy")[-1].json["user"]["name"] == "operator-person"
        ensure_refused(talk(house, port, me, certificate="supplier-user"), HEADER)


class TestTheAddress:
    @pytest.mark.parametrize(
        ("header", "value", "address"),
        [
            case("one", "(as it should be)", "forwarded", "for=192.0.2.7", "192.0.2.7", by="taken"),
            case("ipv6", "(as it should be) an IPv6 address with a port", "forwarded", 'for="[2001:db8::1]:4711"',
                 "2001:db8::1", by="taken"),
            case("spoofed-left", "an address of one's own before the proxy's", "forwarded",
                 "for=203.0.113.9, for=192.0.2.7", "192.0.2.7", by="the rightmost counts"),
            case("open-quote", "a quote that is left open, to swallow what the proxy adds", "forwarded",
                 'for="203.0.113.9, for=192.0.2.7', "192.0.2.7", by="the rightmost counts"),
            case("past-ours", "an address of one's own, and a chain of two of our proxies", "forwarded",
                 "for=203.0.113.9, for=192.0.2.7, for=127.0.0.1", "192.0.2.7", by="the rightmost that is not ours"),
            case("hidden", "an obfuscated address", "forwarded", "for=_secret", "127.0.0.1", by="the proxy's stands"),
            case("text", "text instead of an address, for the log", "forwarded", "for=<script>", "127.0.0.1",
                 by="the proxy's stands"),
            case("other-header", "X-Forwarded-For beside the header that counts", "x-forwarded-for", "203.0.113.9",
                 "127.0.0.1", by="the proxy's stands"),
        ],
    )  # fmt: skip
    def test_is_the_proxys_word(self, house: House, proxied: int, header: str, value: str, address: str) -> None:
        ensure_refused([call(house, proxied, f"{header}: {value}")], "certificate_missing")
        assert house.refused().peer == address

    def test_x_forwarded_for_where_it_is_set(self, house: House) -> None:
        with believing(house, client_address="x-forwarded-for") as port:
            call(house, port, "X-Forwarded-For: 203.0.113.9, 192.0.2.7", "Forwarded: for=203.0.113.9")
        assert house.refused().peer == "192.0.2.7"


def shown(cast: Cast, which: str) -> Holder:
    """The certificate of a case; the ones that the house issued come without their keys."""
    if which in {"expired", "tomorrow", "unbound"}:
        return Holder(x509.load_der_x509_certificate(der_of(cast.house, which)), cast.issuing.key)
    one = Holder(x509.load_der_x509_certificate(cast.one), cast.issuing.key)
    name = one.certificate.subject
    system = made(cast.issuing)
    imposter = made(None, name=cast.issuing.certificate.subject, authority=True)
    below = made(cast.issuing, name=subject("below"), authority=True)
    match which:
        case "self":
            return made(None, name=name)
        case "stranger":
            return made(cast.stranger, name=name).sending(cast.stranger)
        case "imposter":
            return made(imposter, name=name).sending(imposter)
        case "wrong-key":
            return made(cast.issuing, name=name, signed_with=imposter.key)
        case "signature":
            return tampered(one, -1)
        case "by-system":
            return made(system, name=name).sending(system)
        case "server":
            return made(cast.issuing, name=name, purposes=[ExtendedKeyUsageOID.SERVER_AUTH])
        case "usage":
            return made(cast.issuing, name=name, digital_signature=False)
        case "authority":
            return cast.issuing
        case "weak":
            return made(cast.issuing, name=name, key=rsa.generate_private_key(65_537, 1_024))
        case "gap":
            return made(cast.stranger, name=name).sending(cast.stranger, cast.issuing)
        case "path":
            return made(below, name=name).sending(below)
        case "twin":
            return made(cast.issuing, name=name, serial=one.certificate.serial_number)
    raise AssertionError(which)


def test_the_cases_are_what_they_say(cast: Cast) -> None:
    """What makes the forged ones wrong is the one thing that each says: with it mended, they are taken."""
    at = CLOCK.now() - DAY + timedelta(hours=1)
    good = made(cast.issuing, name=x509.load_der_x509_certificate(cast.one).subject)
    assert good.certificate.not_valid_before_utc < at
    assert good.certificate.verify_directly_issued_by(cast.issuing.certificate) is None  # type: ignore[func-returns-value]
