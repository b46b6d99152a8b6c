"""One HTTP request as the routes see it."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

from api.errors import BodyTooLarge, HeaderInvalid, ParameterInvalid
from api.stopwatch import Stopwatch
from api.tls import PEER, Peer
from api.trace import trace_of
from kernel import Clock, Timing

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

MOST_BODY_BYTES: Final = 1024 * 1024
CONNECTION: Final = "knudepunkt.connection"
"""Where the scope's extensions hold the Connection. Waiting for `http.disconnect` instead would take a task for each
stream, and would tell it a turn of the loop too late."""
_COLUMN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,59}")


class ClientGone(Exception):
    """The client closed the connection before its request was whole. There is nobody to answer."""


class Connection(Protocol):
    """What the server's protocol tells of the connection that a request came in on.

    open           whether the client is still there
    paused         whether bytes for the client wait in our own memory, so that nothing more should be written
    unsent_bytes   what the system holds for the client and has not sent yet; 0 where it cannot tell
    """

    @property
    def open(self) -> bool: ...

    @property
    def paused(self) -> bool: ...

    @property
    def unsent_bytes(self) -> int: ...

    async def drained(self, most_s: float) -> None:
        """Return when nothing waits in our memory any more, when the client is gone, or after `most_s` seconds."""

    def keep_unsent(self, most_bytes: int) -> None:
        """How much the system may hold for the client that it has not sent."""

    def cut(self) -> None:
        """End the connection now, whatever is on its way."""


class _Unknown:
    """The connection of a server that is not ours: nothing is known of it."""

    open, paused, unsent_bytes = True, False, 0

    async def drained(self, most_s: float) -> None:
        del most_s

    def keep_unsent(self, most_bytes: int) -> None:
        del most_bytes

    def cut(self) -> None:
        pass


_UNKNOWN: Final = _Unknown()


class Request:
    """received   when it came in, UTC
    headers    by lower-case name; of a repeated one, the last
    peer       whose certificate it is that the client showed, here or to a proxy of ours; None without one
    certificate   the peer's own certificate, PEM
    address    the client's network address; behind a proxy, what the proxy says
    """

    __slots__ = (
        "_receive",
        "_scope",
        "address",
        "certificate",
        "headers",
        "method",
        "path",
        "peer",
        "received",
        "trace",
        "watch",
    )

    def __init__(self, scope: Scope, receive: Receive, clock: Clock) -> None:
        self.watch = Stopwatch()
        self._scope, self._receive = scope, receive
        self.received: datetime = clock.now()
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.trace = trace_of(self.headers.get(b"traceparent"))
        extensions, client = scope.get("extensions", {}), scope.get("client")
        self.peer: Peer | None = extensions.get(PEER)
        chain = extensions.get("tls", {}).get("client_cert_chain")
        self.certificate: bytes | None = chain[0].encode() if chain else None
        self.address: str | None = client[0] if client else None

    @property
    def last_segment(self) -> bytes:
        """The last segment of the path as it came, still percent-encoded."""
        raw: bytes = self._scope["raw_path"]
        return raw.rpartition(b"/")[2]

    def timing(self) -> Timing:
        return self.watch.timing()

    def text(self, name: str) -> str | None:
        """A header, without blanks around it. Raises HeaderInvalid."""
        value = self.headers.get(_raw(name))
        if value is None:
            return None
        try:
            return value.decode("ascii").strip()
        except UnicodeDecodeError:
            raise HeaderInvalid(f"the header {name} holds other than ASCII", remedy=f"mend or omit {name}") from None

    def once(self, name: str) -> str | None:
        """As `text`, for a header that may stand there once. Raises HeaderInvalid."""
        value = self.text(name)
        if value is not None and self.count(name) > 1:
            # Which of two would count, and which would a proxy before us have looked at?
            raise HeaderInvalid(f"the header {name} stands there twice", remedy="give it once")
        return value

    def count(self, name: str) -> int:
        """How often a header stands there."""
        raw = _raw(name)
        return sum(each == raw for each, _ in self._scope["headers"]) if raw in self.headers else 0

    def joined(self, name: str) -> str:
        """A header that is a list, from all the fields of its name (RFC 9110, 5.3); empty without one."""
        raw = _raw(name)
        return ", ".join(value.decode("latin-1") for each, value in self._scope["headers"] if each == raw)

    def parameters(self, *allowed: str) -> dict[str, str]:
        """The query, each parameter at most once. Raises ParameterInvalid, naming what is not known."""
        query: bytes = self._scope["query_string"]
        if not query:
            return {}
        found: dict[str, str] = {}
        try:
            pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
        except ValueError:
            raise ParameterInvalid("the query cannot be read", remedy="percent-encode it as UTF-8") from None
        offered = f"it takes {', '.join(allowed)}" if allowed else "it takes none"
        for name, value in pairs:
            if name not in allowed:
                raise ParameterInvalid(f"there is no query parameter {nameable(name)}", remedy=offered)
            if name in found:
                raise ParameterInvalid(f"the query parameter {name} stands there twice", remedy="give it once")
            found[name] = value
        return found

    async def body(self, most: int = MOST_BODY_BYTES) -> bytes:
        """The whole body. Raises BodyTooLarge, reading no further than that; ClientGone."""
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > most:
            raise _too_large(most)
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body: bytes = message["body"]
        if not message["more_body"]:
            return body
        pieces, size = [body], len(body)
        while message["more_body"]:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            pieces.append(message["body"])
            size += len(pieces[-1])
            if size > most:
                raise _too_large(most)
        return b"".join(pieces)

    async def pieces(self, most: int) -> AsyncGenerator[bytes]:
        """The body as it comes. Raises BodyTooLarge, reading no further than `most` bytes; ClientGone."""
        length = self.headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > most:
            raise _too_large(most)
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            size, more = size + len(message["body"]), message["more_body"]
            if size > most:
                raise _too_large(most)
            yield message["body"]

    @property
    def connection(self) -> Connection:
        found: Connection = self._scope.get("extensions", {}).get(CONNECTION, _UNKNOWN)
        return found

    @property
    def connected(self) -> bool:
        """Whether the client is still there, as far as can be known."""
        return self.connection.open


@lru_cache(maxsize=256)
def _raw(name: str) -> bytes:
    """A header's name as it comes. Names are the code's own, so there are few."""
    return name.lower().encode()


def columns_of(parameters: Mapping[str, str]) -> tuple[str, ...] | None:
    """The parameter `columns`, names separated by commas; None when it is not there. Raises ParameterInvalid."""
    if "columns" not in parameters:
        return None
    columns = tuple(name.strip() for name in parameters["columns"].split(","))
    if not all(_COLUMN.fullmatch(name) for name in columns):
        # Not repeated: what is no column's name may be anything.
        raise ParameterInvalid(
            "columns holds what is no column's name",
            remedy="give names separated by commas, as in GET /openapi.json",
            rule="parameter.columns",
        )
    return columns


def nameable(name: str) -> str:
    """A name that a caller made up, as it may be shown to it: what is no identifier may be a personal number."""
    return repr(name) if _COLUMN.fullmatch(name) else "of that name"


def _too_large(most: int = MOST_BODY_BYTES) -> BodyTooLarge:
    return BodyTooLarge(
        f"the body has more than {most} bytes",
        remedy="ask for fewer keys at a time; for a whole dataset, use its extract service",
    )
