"""An HTTP server that tests can spoil: the same rows as a CSV document and as pages of JSON."""

import gzip
import hashlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

from tests.sync.connectors.peer import CHANGED, Mischief, Rows, as_csv
from tests.waiting import eventually

PAGE_ROWS = 6000


@dataclass
class HttpPeer:
    """rows     None: nothing there
    raw      the document itself, in place of rows
    asked    parameters and headers of each request
    failing  how many requests more are answered with the fault
    place    where the fault leads to
    """

    port: int
    rows: Rows | None = None
    raw: bytes | None = None
    mischief: Mischief = field(default_factory=Mischief)
    asked: list[tuple[str, dict[str, str], Message]] = field(default_factory=list)
    failing: int = 1_000_000
    place: str = ""
    all_closed: Callable[[], bool] = lambda: True

    def reset(self) -> None:
        self.mischief.reset()
        self.rows, self.raw, self.failing = None, None, 1_000_000
        self.asked.clear()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "ThreadedServer[HttpPeer]"

    @property
    def peer(self) -> HttpPeer:
        return self.server.peer

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        split = urlsplit(self.path)
        parameters = dict(parse_qsl(split.query))
        self.peer.asked.append((split.path, parameters, self.headers))
        fault = self.peer.mischief.fault if self.peer.failing > 0 else ""
        self.peer.failing -= 1
        plain = {
            "throttles": (429, {"Retry-After": "0"}),
            "is down for long": (503, {"Retry-After": "86400"}),
            "is down until a date": (503, {"Retry-After": format_datetime(CHANGED.replace(year=2199), usegmt=True)}),
            "has no such document": (404, {}),
            "does not understand us": (400, {}),
            "leads to another server": (302, {"Location": "http://127.0.0.2:9/doc.csv"}),
            "leads abroad": (302, {"Location": self.peer.place}),
            "leads in a circle": (302, {"Location": self.path}),
            "leads to nowhere": (302, {"Location": "http://[:::1]/"}),
        }
        if fault in plain:
            status, headers = plain[fault]
            self._answer(b"sorry", status=status, headers=headers)
        elif fault == "says nothing":
            self.peer.mischief.told.wait(20)
            self.close_connection = True
        elif self.headers.get("Authorization", "").endswith("wrong"):
            self._answer(b"", status=401)
        elif split.path == "/moved":
            self._answer(b"", status=307, headers={"Location": "/doc.csv"})
        elif split.path == "/doc.csv":
            self._document(fault)
        else:
            self._page(split.path, parameters, fault)

    def _document(self, fault: str) -> None:
        if self.peer.rows is None and self.peer.raw is None:
            return self._answer(b"", status=204)
        body = self.peer.raw or as_csv(self.peer.rows or [])
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        if self.headers.get("If-None-Match") == etag:
            return self._answer(b"", status=304)
        return self._answer(
            body, fault=fault, headers={"ETag": etag, "Last-Modified": format_datetime(CHANGED, usegmt=True)}
        )

    def _page(self, path: str, parameters: dict[str, str], fault: str) -> None:
        since, number = int(parameters.get("since", -1)), int(parameters.get("page", 1)) - 1
        if fault == "repeats a page":
            number = min(number, 1)
        rows = [row for row in self.peer.rows or [] if int(row[0]) > since]
        page = rows[number * PAGE_ROWS : (number + 1) * PAGE_ROWS]
        more = fault == "repeats a page" or (number + 1) * PAGE_ROWS < len(rows)
        following = f"{path}?page={int(parameters.get('page', 1)) + 1}&since={since}" if more else None
        headers = {"Link": f'</other>; rel="prev", <{following}>; rel="next"'} if following else {}
        if fault == "leads its pages to another server":
            following = "http://127.0.0.2:9/api"
        if path == "/pages.csv":
            head = b"id,title" if fault == "changes its columns" and number else b"id,name"
            return self._answer(as_csv(page).replace(b"id,name", head), headers=headers, fault=fault)
        records = [{"id": key, "name": name, "weight": 1.50} for key, name in page]
        body = json.dumps({
            "data": records, "links": {"next": following}, "following": number + 2 if more else None,
            "until": rows[-1][0] if rows else None,
        })  # fmt: skip
        if fault == "gives a page that is not JSON":
            body = body[:-10]
        if fault == "gives a page of something else":
            body = '{"error": "come back on Monday"}'
        return self._answer(body.encode(), headers=headers, fault=fault)

    def _answer(
        self, body: bytes, *, status: int = 200, headers: dict[str, str] | None = None, fault: str = ""
    ) -> None:
        size = len(body)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if fault == "packs wrongly":
            self.send_header("Content-Encoding", "gzip")
        elif "gzip" in self.headers.get("Accept-Encoding", "") and not fault and status == 200:
            body = gzip.compress(body)
            size = len(body)
            self.send_header("Content-Encoding", "gzip")
        if fault in {"hangs up half way", "falls silent half way"}:
            body = body[: size // 2]
        if status not in {204, 304}:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if fault == "drips":
            self._drip(body)
            return
        self.wfile.write(body)
        if fault == "falls silent half way":
            self.peer.mischief.told.wait(20)
        if fault in {"hangs up half way", "falls silent half way"}:
            self.close_connection = True

    def _drip(self, body: bytes) -> None:
        self.close_connection = True
        for place in range(len(body)):
            self.wfile.write(body[place : place + 1])
            if self.peer.mischief.told.wait(0.05):
                return


Held = TypeVar("Held")


class ThreadedServer(ThreadingHTTPServer, Generic[Held]):
    """peer   what its handlers share with the tests
    held   connections that are open
    """

    daemon_threads = False
    peer: Held
    held = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.held += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self.held -= 1

    def all_closed(self) -> bool:
        """Whether the clients let go of all connections; a little patience for their last words."""
        eventually(lambda: not self.held, lambda: f"{self.held} connections are open")
        return True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that lets go of a server that is spoiled is no error here."""


@contextmanager
def serve_http(tls: ssl.SSLContext | None = None) -> Iterator[HttpPeer]:
    with ThreadedServer[HttpPeer](("127.0.0.1", 0), _Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        peer = server.peer = HttpPeer(server.server_address[1], all_closed=server.all_closed)
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        try:
            yield peer
        finally:
            peer.reset()
            server.shutdown()
            serving.join()
