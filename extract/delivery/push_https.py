"""A parcel to an HTTPS endpoint: the file in the body of one POST, or a small notice that points to it.

We show the platform's certificate; the body is signed as Standard Webhooks says (https://www.standardwebhooks.com):
`webhook-id`, `webhook-timestamp` and `webhook-signature` over `id.timestamp.body`, a large body read twice. The same
delivery always has the same `Idempotency-Key`, so a receiver that got it and could not say so takes it once.
"""

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import httpx2
from httpcore2 import ConnectError, ConnectionPool, NetworkStream, SyncBackend

from extract.delivery.faults import TargetDenied, TargetFaulty, TargetRefused, TargetUnreachable, TargetUntrusted
from extract.delivery.parcel import Handover, Parcel
from extract.delivery.targets import HttpsTarget, Reach
from kernel import Clock, PlatformError

PIECE_BYTES: Final = 256 * 1024
_PASSING: Final = frozenset({408, 409, 423, 425, 429, 500, 502, 503, 504})
AGAIN: Final = "if it stays so, ask the owner of the endpoint"
EVENTS: Final = "application/cloudevents+json"
NOTICE: Final = "dk.knudepunkt.delivery.ready"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is posted. `body` is asked for twice: to sign it, and to send it.

    id   the same for each attempt
    """

    id: str
    media_type: str
    size_bytes: int
    body: Callable[[], Iterable[bytes]]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Poster:
    """Posts letters to one address.

    secret      the endpoint's own, that it checks our signatures with
    tls         our certificate, and the authorities that may vouch for endpoints
    timeout_s   for each step
    """

    url: str
    secret: bytes = field(repr=False)
    tls: ssl.SSLContext
    reach: Reach
    clock: Clock
    timeout_s: float = 60.0

    def post(
        self,
        letter: Letter,
        alive: Callable[[], None] = lambda: None,
        before_the_last: Callable[[], None] = lambda: None,
    ) -> None:
        """Returns when the endpoint has said that it has it. `before_the_last` piece leaves is called once.

        Raises TargetUnreachable, TargetDenied, TargetUntrusted, TargetFaulty, TargetRefused.
        """
        stamp = self.clock.now()
        headers = {
            "Content-Type": letter.media_type,
            "Content-Length": str(letter.size_bytes),
            "Idempotency-Key": f'"{letter.id}"',
            "webhook-id": letter.id,
            "webhook-timestamp": str(int(stamp.timestamp())),
            "webhook-signature": signature(self.secret, letter.id, stamp, letter.body()),
            "User-Agent": "knudepunkt",
            **letter.headers,
        }

        def watched() -> Iterator[bytes]:
            held = b""
            for piece in letter.body():
                alive()
                if held:
                    yield held
                held = piece
            before_the_last()
            yield held

        with (
            _told(),
            _client(self.tls, self.reach, self.timeout_s) as client,
            client.stream("POST", httpx2.URL(self.url), content=watched(), headers=headers) as answer,
        ):
            # What an endpoint says is not read: it can be without end, and nothing in it matters.
            _judge(answer)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpsSender:
    """pull   the address from which a receiver fetches a file that it was told of, made from the file's name"""

    target: HttpsTarget
    poster: Poster
    source: str
    pull: Callable[[Parcel], str]

    @property
    def carries(self) -> bool:
        return not self.target.notify

    def send(self, parcel: Parcel, handover: Handover) -> bool:
        """Confirmed when the endpoint took the file; a notice is no delivery yet. Raises what `Poster.post` raises."""
        if self.target.notify:
            # Before it is told of: who is quick must find it.
            parcel.on_shelf()
            body = notice(parcel, self.source, self.pull(parcel))
            self.poster.post(
                Letter(
                    id=parcel.delivery, media_type=EVENTS, size_bytes=len(body),
                    body=lambda: (body,),
                ),
                handover.alive,
            )  # fmt: skip
            return False
        digest = base64.b64encode(bytes.fromhex(parcel.sha256)).decode()
        self.poster.post(
            Letter(
                id=parcel.delivery,
                media_type=parcel.media_type,
                size_bytes=parcel.size_bytes,
                body=lambda: pieces_of(parcel.path),
                headers={
                    "Content-Disposition": f'attachment; filename="{parcel.name}"',
                    "Content-Digest": f"sha-256=:{digest}:",
                    "Knudepunkt-Snapshot": str(parcel.snapshot),
                    "Knudepunkt-Rows": str(parcel.rows),
                    "Knudepunkt-Manifest": base64.b64encode(_compact(parcel.manifest)).decode(),
                },
            ),
            handover.alive,
            handover.place,
        )
        return True


def notice(parcel: Parcel, source: str, address: str) -> bytes:
    """What there is, and where. No data of the register."""
    return event_of(
        parcel.delivery, source, NOTICE, parcel.published,
        {
            "file": parcel.name, "href": address, "rows": parcel.rows, "bytes": parcel.size_bytes,
            "sha256": parcel.sha256, "snapshot": parcel.snapshot,
        },
    )  # fmt: skip


def event_of(event: str, source: str, kind: str, time: datetime, data: Mapping[str, Any]) -> bytes:
    """A CloudEvents 1.0 event in JSON."""
    told = {
        "specversion": "1.0", "id": event, "source": source, "type": kind, "time": time.isoformat(),
        "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    return json.dumps(told, separators=(",", ":")).encode()


def signature(secret: bytes, message: str, stamp: datetime, body: Iterable[bytes]) -> str:
    """As Standard Webhooks says, version 1, of a body in pieces."""
    made = hmac.new(secret, f"{message}.{int(stamp.timestamp())}.".encode(), hashlib.sha256)
    for piece in body:
        made.update(piece)
    return f"v1,{base64.b64encode(made.digest()).decode()}"


def secret_of(key: bytes, subscription: str) -> bytes:
    """The secret of one endpoint, made from the platform's key: nothing to store, and no two are the same."""
    return hmac.new(key, f"endpoint {subscription}".encode(), hashlib.sha256).digest()


def shown_secret(secret: bytes) -> str:
    """As libraries for Standard Webhooks take it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _compact(manifest: bytes) -> bytes:
    """Without what makes it readable: it travels in a header."""
    return json.dumps(json.loads(manifest), separators=(",", ":")).encode()


class _Checked(SyncBackend):
    """Connects to the address that was checked, and to no other that the name may mean a moment later.

    The certificate is compared with the name all the same.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self.refused: PlatformError | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> NetworkStream:
        try:
            address = self._reach.address(host, port)
        except PlatformError as error:
            self.refused = error
            raise ConnectError("not an address to connect to") from error
        return super().connect_tcp(address, port, timeout, local_address, socket_options)


@contextmanager
def _client(tls: ssl.SSLContext, reach: Reach, timeout_s: float) -> Iterator[httpx2.Client]:
    backend = _Checked(reach)
    # Proxies of the environment are left aside: they would choose the address for us.
    transport = httpx2.HTTPTransport(verify=tls, trust_env=False)
    transport._pool = ConnectionPool(ssl_context=tls, network_backend=backend, http1=True, http2=False)
    try:
        with httpx2.Client(transport=transport, follow_redirects=False, trust_env=False, timeout=timeout_s) as client:
            yield client
    except httpx2.HTTPError:
        if backend.refused is not None:
            raise backend.refused from None
        raise


@contextmanager
def _told() -> Iterator[None]:
    """What went wrong, in our words: an address can hold a secret of the receiver."""
    try:
        yield
    except httpx2.HTTPError as error:
        if _mistrusted(error):
            raise TargetUntrusted(
                "the endpoint's certificate does not vouch for it",
                remedy="have its owner renew it, or have the operator trust the authority that issued it "
                "(`peers/*.pem`)",
                rule="target.certificate",
            ) from None
        if isinstance(error, httpx2.TimeoutException):
            raise TargetUnreachable("the endpoint did not answer in time", remedy=AGAIN) from None
        raise TargetUnreachable("the endpoint cannot be reached", remedy=AGAIN) from None


def _judge(answer: httpx2.Response) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise TargetRefused(
            "the endpoint sends us elsewhere, and deliveries do not follow",
            remedy="name the endpoint's final address in a new subscription",
            rule="target.redirect",
        )
    if status in {401, 403, 407}:
        raise TargetDenied(
            f"the endpoint does not let us in (HTTP {status})",
            remedy="have its owner allow the platform's certificate, and check the secret of the signature",
        )
    if status in _PASSING:
        after = answer.headers.get("Retry-After", "")
        wait = min(int(after), 86_400) if after.isascii() and after.isdigit() and len(after) < 9 else None
        raise TargetUnreachable(
            f"the endpoint cannot take it just now (HTTP {status})", remedy=AGAIN, retry_after_s=wait
        )
    raise TargetFaulty(f"the endpoint does not take the delivery (HTTP {status})", remedy=AGAIN)


def _mistrusted(problem: BaseException | None) -> bool:
    while problem is not None:
        if isinstance(problem, ssl.SSLCertVerificationError):
            return True
        problem = problem.__cause__ or problem.__context__
    return False
