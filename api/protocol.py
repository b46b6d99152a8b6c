"""uvicorn's HTTP/1.1 protocol with what it lacks: the peer's certificate, a limit on the head, problems in JSON.

It leans on methods of uvicorn that are not documented, so uvicorn is pinned and the tests walk each of them. When
uvicorn fills the ASGI TLS extension itself, `connection_made` and `on_message_begin` can go.
"""

import asyncio
import contextlib
import fcntl
import re
import socket
import ssl
import sys
from asyncio import AbstractEventLoop, TimerHandle, Transport
from typing import Any, Final

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.errors import HeadTooLarge, HttpInvalid, RequestTooSlow
from api.problem import problem_body
from api.request import CONNECTION
from api.tls import extensions_of
from kernel import PlatformError, new_trace_id

MOST_HEAD_BYTES: Final = 64 * 1024
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_SIOCOUTQNSD: Final = 0x894B
UNSENT_BYTES: Final = 256 * 1024
"""The kernel keeps no more unsent bytes than this for one client: by itself it would take megabytes for each."""
WAITING_BYTES: Final = 16 * 1024
"""Encrypted bytes of one answer that may wait in our own memory; by itself the event loop takes half a megabyte."""
REQUEST_S: Final = 30.0
"""How long a request may take to come, seconds: whoever sends a byte now and then would hold a connection for ever."""
LINGER_S: Final = 2.0
"""How long after an answer a stopping server waits for a client to take it from the buffers and close, seconds."""


class TlsProtocol(HttpToolsProtocol):
    request_s = REQUEST_S

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Whatever logging is set to: a path may hold a key by mistake, so paths are never logged.
        self.access_log = False
        self._extensions: dict[str, Any] = {CONNECTION: self}
        self._in_head = True
        self._head_bytes = 0
        self._idle_bytes = 0
        self._answered_at = 0.0
        self._begun = False
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.keep_unsent(UNSENT_BYTES)
        transport.set_write_buffer_limits(WAITING_BYTES)
        connection = transport.get_extra_info("ssl_object")
        if isinstance(connection, ssl.SSLObject):
            self._extensions |= extensions_of(connection)
        # uvicorn begins to count idle time after the first answer; a connection that never asks would stay for ever.
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    @property
    def open(self) -> bool:
        return not self.transport.is_closing()

    def cut(self) -> None:
        self.transport.abort()

    @property
    def unsent_bytes(self) -> int:
        try:
            told = fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), _SIOCOUTQNSD, b"\0\0\0\0")
        except (AttributeError, OSError, ValueError):
            # A connection that was closed this moment has no socket any more.
            return 0
        return int.from_bytes(told, sys.byteorder)

    def keep_unsent(self, most_bytes: int) -> None:
        with contextlib.suppress(AttributeError, OSError):
            self.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, most_bytes)

    @property
    def paused(self) -> bool:
        return self.flow.write_paused

    async def drained(self, most_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self.flow.drain()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
        self._idle_bytes += len(data)
        super().data_received(data)
        # The parser itself collects a header of any length, and what a chunk may have beside its content.
        most = self._head_bytes if self._in_head else self._idle_bytes
        if most > MOST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadTooLarge("the headers are too large", remedy=f"send at most {MOST_HEAD_BYTES} bytes"))
        # Most requests come in one piece, and need no timer.
        elif (self._begun or self._head_bytes) and self._deadline is None:
            self._deadline = self.loop.call_later(self.request_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_time()
        super().connection_lost(exc)
        # A request that is still being answered holds its connection. Held by it in turn, both would stay, with all
        # that TLS keeps, until the collector comes round to what has lived as long.
        self._extensions, self.scope = {}, None  # type: ignore[assignment]
        self.cycle = None  # type: ignore[assignment]
        self.pipeline.clear()
        self._unset_keepalive_if_required()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun = True
        self.scope["extensions"] = self._extensions

    def on_header(self, name: bytes, value: bytes) -> None:
        # A trailer comes after the headers were judged, perhaps by a proxy that looks at those alone: it is no header.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Raises ValueError for what no server should answer (RFC 9112, 3.2): the parser makes a refusal of it."""
        version = self.parser.get_http_version()
        hosts = [value for name, value in self.headers if name == b"host"]
        if version not in {"1.0", "1.1"} or (len(hosts) != 1 and (hosts or version == "1.1")):
            raise ValueError("neither HTTP/1.1 with one host, nor HTTP/1.0")
        if hosts and not _HOST.fullmatch(hosts[0]):
            raise ValueError("no host")
        self._in_head, self._idle_bytes = False, 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._idle_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes, self._idle_bytes, self._begun = True, 0, 0, False
        self._on_time()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._answered_at = self.loop.time()
        super().on_response_complete()

    def shutdown(self) -> None:
        super().shutdown()
        if self.cycle is None or self.cycle.response_complete:
            # TLS waits for the client to say goodbye too, and one that keeps its connection for later does not
            # look; a stopping server must not wait for each of them until its time is up.
            wait_s = max(0.0, self._answered_at + LINGER_S - self.loop.time())
            self.loop.call_later(wait_s, self._leave)

    def _leave(self) -> None:
        if self.transport.get_write_buffer_size():
            # A slow client still reads the end of its answer.
            self.loop.call_later(LINGER_S, self._leave)
        else:
            self.transport.abort()

    def _on_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if not self._in_head and self.cycle is not None and self.cycle.response_started:
            # It was answered before its body was whole; what is left of that is not waited for.
            self.transport.close()
        else:
            self._refuse(
                RequestTooSlow("the request is not whole", remedy=f"send it within {self.request_s:g} seconds")
            )

    def send_400_response(self, msg: str) -> None:
        del msg
        self._refuse(HttpInvalid("the request cannot be read", remedy="send HTTP/1.1 as in RFC 9112"))

    def _refuse(self, error: PlatformError) -> None:
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            # In the middle of an answer, another one would look like a part of it.
            self.transport.close()
            return
        body = problem_body(error, new_trace_id())
        head = b"content-type: application/problem+json\r\ncache-control: no-store\r\nconnection: close\r\n"
        length = b"content-length: %d\r\n\r\n" % len(body)
        self.transport.write(b"".join((STATUS_LINE[error.status], head, length, body)))
        self.transport.close()
