"""Behind a proxy that ends TLS: what it tells of its clients is believed, and from nobody else.

A proxy passes on the client's certificate as RFC 9440 has it (`Client-Cert`, with `Client-Cert-Chain` when it knows the
authorities in between), and the client's address in `Forwarded` (RFC 7239) or `X-Forwarded-For`. The certificate is
judged here, as one from a handshake of our own: the proxy vouches for nothing but that the client holds its key.
"""

import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from ssl import DER_cert_to_PEM_cert
from typing import Final

import structlog
from cryptography import x509

from api.errors import ClientCertHeaderRefused
from api.request import Request
from api.settings import ProxySettings
from api.tls import Peer
from control import Trust, ensure_valid, verify_chain
from kernel import NotIdentified

_log = structlog.get_logger(__name__)

CERTIFICATE: Final = "Client-Cert"
CHAIN: Final = "Client-Cert-Chain"
MOST_CERTIFICATE_BYTES: Final = 16 * 1024
MOST_AUTHORITIES: Final = 6
"""Between a client's certificate and a trusted authority; public chains have one or two."""
MOST_KEPT: Final = 1_000

# RFC 9651, 3.3.5. Parameters are not defined for these fields, and padding is not left to guesses.
_BYTES: Final = re.compile(rb":((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?):")
_FOR: Final = re.compile(r'(?:^|;)\s*for=("?)(.*?)\1\s*(?:;|$)', re.IGNORECASE)
_WITH_PORT: Final = re.compile(r"\[([0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|([0-9.]+)(?::[0-9]{1,5})?")

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Shown:
    """What a proxy says of its client's certificate: DER of it, and of the authorities between."""

    certificate: bytes
    between: tuple[bytes, ...]


class Proxies:
    """The proxies that are believed. One for each process: it remembers the chains that it has verified."""

    def __init__(self, settings: ProxySettings | None = None) -> None:
        settings = settings or ProxySettings()
        self._networks = tuple(ip_network(each) for each in settings.addresses)
        self._certificates = frozenset(settings.certificates)
        self._header = settings.client_address
        self._is_proxy = lru_cache(maxsize=1024)(self._listed)
        self._verified: dict[Shown, tuple[Trust, Peer]] = {}

    def receive(self, request: Request, trust: Trust) -> None:
        """Settle who is at the other end: for a proxy's request, the client that it speaks for.

        Raises ClientCertHeaderRefused for a header that came from elsewhere or is not as RFC 9440 has it, and
        CertificateUntrusted where a handshake of our own would have ended.
        """
        told = request.count(CERTIFICATE), request.count(CHAIN)
        if not self._from_proxy(request, trust):
            if any(told):
                raise ClientCertHeaderRefused(
                    "a header that speaks for another's certificate came from an address that is no proxy of ours",
                    remedy=f"omit {CERTIFICATE} and {CHAIN}, and show the certificate in the TLS handshake",
                    rule="proxy.addresses",
                    owner="the operator",
                )
            return
        # The proxy's own certificate speaks for the proxy alone, or all who come through it were the same system.
        request.peer, request.certificate = None, None
        request.address = self._client_address(request) or request.address
        if any(told):
            shown = shown_of(request, *told)
            request.peer = self._judged(shown, trust, request)
            request.certificate = DER_cert_to_PEM_cert(shown.certificate).encode()

    def _from_proxy(self, request: Request, trust: Trust) -> bool:
        if not self._networks or request.address is None or not self._is_proxy(request.address):
            return False
        if not self._certificates:
            return True
        peer = request.peer
        if peer is None or peer.fingerprint not in self._certificates:
            return False
        try:
            ensure_valid(peer.valid.start, peer.valid.end, request.received)
            trust.ensure_current(peer)
        except NotIdentified as error:
            _log.warning("proxy_not_believed", address=request.address, code=error.code)
            return False
        return True

    def _listed(self, text: str) -> bool:
        found = _address(text)
        return found is not None and any(found in network for network in self._networks)

    def _client_address(self, request: Request) -> str | None:
        """The nearest address that no proxy of ours has: what stands further left, anybody can have written."""
        value = request.joined(self._header)
        for element in reversed(value.split(",")):
            text = element.strip()
            if self._header == "forwarded":
                found = _FOR.search(text)
                text = found[2] if found else ""
            address = _address(text)
            if address is None:
                return None
            if not self._is_proxy(str(address)):
                return str(address)
        return None

    def _judged(self, shown: Shown, trust: Trust, request: Request) -> Peer:
        known = self._verified.get(shown)
        if known is not None and known[0] is trust:
            return known[1]
        certificate, *between = (_certificate(each) for each in (shown.certificate, *shown.between))
        # At a time when it was valid: as in the handshake, its dates are judged for each request, and explained.
        at = min(max(request.received, certificate.not_valid_before_utc), certificate.not_valid_after_utc)
        peer = verify_chain(certificate, between, trust, at)
        if len(self._verified) >= MOST_KEPT:
            self._verified.clear()
        self._verified[shown] = (trust, peer)
        return peer


def shown_of(request: Request, certificates: int, chains: int) -> Shown:
    """The two headers, as they stand `certificates` and `chains` times. Raises ClientCertHeaderRefused."""
    if certificates != 1:
        # A list may go on in another header of its name; the certificate is one item.
        raise _refused(f"{CERTIFICATE} stands there {certificates} times", CERTIFICATE)
    (certificate,) = _byte_sequences(CERTIFICATE, [request.joined(CERTIFICATE)])
    between = request.joined(CHAIN)
    if len(between) > MOST_AUTHORITIES * MOST_CERTIFICATE_BYTES * 2 or between.count(",") >= MOST_AUTHORITIES:
        raise _refused(f"{CHAIN} has more than {MOST_AUTHORITIES} certificates", CHAIN)
    return Shown(certificate, _byte_sequences(CHAIN, between.split(",") if chains else []))


def _byte_sequences(name: str, items: Sequence[str]) -> tuple[bytes, ...]:
    found = []
    for item in items:
        matched = _BYTES.fullmatch(item.strip(" \t").encode("latin-1"))
        if matched is None or not matched[1]:
            raise _refused(f"{name} is no byte sequence of RFC 9651", name)
        content = binascii.a2b_base64(matched[1])
        if len(content) > MOST_CERTIFICATE_BYTES:
            raise _refused(f"{name} has a certificate of more than {MOST_CERTIFICATE_BYTES} bytes", name)
        if binascii.b2a_base64(content, newline=False) != matched[1]:
            # Bits that mean nothing: two texts would be one certificate.
            raise _refused(f"{name} is not in the one form that base64 has for it", name)
        found.append(content)
    return tuple(found)


def _certificate(content: bytes) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(content)
    except ValueError:
        raise _refused(f"{CERTIFICATE} or {CHAIN} holds no certificate", CERTIFICATE) from None


def _refused(what: str, name: str) -> ClientCertHeaderRefused:
    return ClientCertHeaderRefused(
        what,
        remedy=f"have the proxy send {name} as in RFC 9440 and strip what its clients send (docs/operating/proxy.md)",
        rule="proxy.header",
        owner="the operator",
    )


def _address(text: str) -> Address | None:
    matched = _WITH_PORT.fullmatch(text)
    try:
        found = ip_address((matched[1] or matched[2]) if matched else text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


NO_PROXIES: Final = Proxies()
