"""TLS: who may connect, and how the application learns whose certificate it is.

The handshake proves that the peer holds the certificate's key and that a trusted authority issued it. The rest (no
certificate at all, dates, revocation, whose system it is) is judged for each request, where a refusal can be explained.
"""

import functools
import ssl
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from api.errors import ServerCertificateInvalid, TrustInvalid
from control import Chain, chain_of, load_trust
from control.errors import CertificateUntrusted
from kernel import CallRefused, Channel, Clock, Observe, new_event_id, new_trace_id

_log = structlog.get_logger(__name__)

PEER: Final = "knudepunkt.peer"
"""Where the scope's extensions hold the Peer; `tls` beside it is the ASGI TLS extension."""

# OpenSSL's own numbers (x509_vfy.h); Python 3.11 has names for neither.
_NO_CHECK_TIME: Final = 0x200000
_PARTIAL_CHAIN: Final = 0x80000

KNOWN_CHAINS: Final = 256
"""Of so many systems' certificates what they say is kept: a system has many connections, and each shows the same."""

OnRefused = Callable[[str], None]


Peer = Chain
"""Whoever holds the other end of a connection and proved to hold the key of a certificate: its verified chain."""


def server_context(certificate: Path, key: Path, trust: Path, *, at: datetime, on_refused: OnRefused) -> ssl.SSLContext:
    """A context that asks for a client certificate, and takes none but those that an authority in `trust` issued.

    trust        folder of PEM files; an issuing authority may stand there without its root
    at           the time now: an authority that is out of date is left out, and the log says so
    on_refused   told why, in OpenSSL's words, when a client certificate makes a handshake fail

    The dates of client certificates are not judged here (X509_V_FLAG_NO_CHECK_TIME), but by `Peer.valid` for each
    request: a caller whose certificate expired is told so. Raises TrustInvalid, ServerCertificateInvalid.
    """
    return context_of(certificate, key, open_authorities(trust, at), on_refused=on_refused)


def context_of(
    certificate: Path, key: Path, authorities: Iterable[x509.Certificate], *, on_refused: OnRefused
) -> ssl.SSLContext:
    """As `server_context`, for authorities that were read before. Raises ServerCertificateInvalid."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    # A resumed session would skip the check of the chain, and is how a revoked client gets in again.
    context.num_tickets = 0
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= _NO_CHECK_TIME | _PARTIAL_CHAIN
    context.load_verify_locations(cadata="".join(each.public_bytes(Encoding.PEM).decode() for each in authorities))
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise ServerCertificateInvalid(
            f"{certificate.name} with {key.name}: {error.strerror or error}", remedy="restore both files"
        ) from None
    context.sslobject_class = _reporting(on_refused)
    context.set_alpn_protocols(["http/1.1"])
    return context


def refusals_to_ledger(observe: Observe, clock: Clock) -> OnRefused:
    """For `server_context`: enters a refused handshake in the ledger."""

    def on_refused(reason: str) -> None:
        error = CertificateUntrusted
        refused = CallRefused(
            event=new_event_id(), at=clock.now(), trace=new_trace_id(), channel=Channel.REST,
            code=error.code, status=error.status, reason=f"TLS handshake: {reason}",
        )  # fmt: skip
        try:
            observe(refused)
        except Exception as failure:
            # Nothing was handed out, so there is nothing to hold back.
            _log.error("refusal_not_on_record", trace=refused.trace, error=type(failure).__name__)

    return on_refused


def extensions_of(connection: ssl.SSLObject) -> dict[str, Any]:
    """The ASGI TLS extension (`tls`), and the Peer when the client showed a certificate. Once for each connection."""
    cipher = connection.cipher()
    shown = _verified_chain(connection)
    name, peer = _told_by(shown) if shown else (None, None)
    tls = {
        "server_cert": None,
        "client_cert_chain": shown,
        "client_cert_name": name,
        "client_cert_error": None,
        "tls_version": {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}.get(connection.version() or ""),
        "cipher_suite": _cipher_suites().get(cipher[0]) if cipher else None,
    }
    return {"tls": tls} if peer is None else {"tls": tls, PEER: peer}


def _verified_chain(connection: ssl.SSLObject) -> tuple[str, ...]:
    """In PEM, the client's own certificate first. One text for all connections that show the same chain."""
    # Public from Python 3.13 on; until then only the wrapped object has it.
    found = connection._sslobj.get_verified_chain()  # type: ignore[attr-defined]
    return _one_and_the_same(tuple(certificate.public_bytes() for certificate in found or ()))


@functools.lru_cache(maxsize=KNOWN_CHAINS)
def _one_and_the_same(chain: tuple[str, ...]) -> tuple[str, ...]:
    return chain


@functools.lru_cache(maxsize=KNOWN_CHAINS)
def _told_by(chain: tuple[str, ...]) -> tuple[str, Chain]:
    """The name in a client's certificate, and its chain as it is judged. Pure: whether it is valid now, and still
    trusted, is asked at each call.
    """
    read = [x509.load_pem_x509_certificate(certificate.encode()) for certificate in chain]
    return read[0].subject.rfc4514_string(), chain_of(read)


def open_authorities(folder: Path, at: datetime) -> tuple[x509.Certificate, ...]:
    """The authorities in a folder that are valid now. Raises TrustInvalid."""
    try:
        authorities = load_trust(folder)
    except (OSError, ValueError) as error:
        raise TrustInvalid(
            f"the authorities in {folder} cannot be read: {error}", remedy="mend the PEM files"
        ) from None
    current = [each for each in authorities if _is_authority(each, folder) and not _out_of_date(each, at)]
    if not current:
        raise TrustInvalid(
            f"{folder} holds no authority that is valid now",
            remedy="put the PEM files of the authorities there whose client certificates are to be trusted",
        )
    return tuple(current)


def _is_authority(certificate: x509.Certificate, folder: Path) -> bool:
    try:
        authority = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    if not authority:
        # It would be trusted as if it were its own authority.
        raise TrustInvalid(
            f"{folder} holds {certificate.subject.rfc4514_string()}, which is no authority",
            remedy="remove it; a client's own certificate is bound to its system, never put among the authorities",
        )
    return True


def _out_of_date(certificate: x509.Certificate, at: datetime) -> bool:
    valid = certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc
    if not valid:
        _log.warning(
            "trusted_authority_out_of_date",
            authority=certificate.subject.rfc4514_string(),
            valid_to=certificate.not_valid_after_utc.isoformat(),
        )
    return not valid


def _reporting(on_refused: OnRefused) -> type[ssl.SSLObject]:
    class Reporting(ssl.SSLObject):
        """uvicorn says nothing when a handshake fails; here it can be heard."""

        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except ssl.SSLCertVerificationError as error:
                _log.warning("client_certificate_refused", code=error.verify_code, reason=error.verify_message)
                on_refused(error.verify_message)
                raise
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                # Scanners, old protocols, plain HTTP: not a certificate, so nothing for the ledger.
                _log.debug("tls_handshake_failed", reason=error.reason)
                raise

    return Reporting


@functools.cache
def _cipher_suites() -> dict[str, int]:
    """Numbers of the TLS Cipher Suites registry (IANA), by OpenSSL's names."""
    return {suite["name"]: suite["id"] & 0xFFFF for suite in ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).get_ciphers()}
