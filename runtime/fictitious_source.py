"""A fictitious source system, as a process of its own: REST and SOAP over mutual TLS, with faults to switch on.

For the demo and the tests: nobody that it speaks of exists. It knows everyone, as long as the number has ten digits.

    GET    /places                    places in schools, for the redirect
    POST   /residents {"pnr": ...}    where somebody lives, for lookups
    POST, PUT, DELETE /orders         an order, by `reference` in the body; PUT and DELETE by If-Match
    POST   /soap                      echoes what is in the body of the envelope, in the envelope's own version
    GET, POST /echo                   tells what came: method, header fields, parameters, how many bytes
    GET    /bytes?count=N             N bytes, as fast as they are taken
    PUT    /faults {"mode": ..., "path": ..., "seconds": ..., "every": ...}, DELETE /faults

Modes: slow (seconds before the answer, or until it is mended), hangs-up (in the middle of the answer), silent (closes
without one), fails (500), malformed (no HTTP), huge (never ends), elsewhere (302), drips (a byte a second). `every` 3
is every third request.
"""

import itertools
import json
import re
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

MODES: Final = ("slow", "hangs-up", "silent", "fails", "malformed", "huge", "elsewhere", "drips")
_ENVELOPES: Final = (b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope")
_BODY: Final = re.compile(rb"<(?:[A-Za-z0-9]+:)?Body[^>]*>(.*)</(?:[A-Za-z0-9]+:)?Body>", re.DOTALL)
_TOWNS: Final = ("0101", "0461", "0561", "0751", "0851")


class FictitiousSource(ThreadingHTTPServer):
    """faults   path -> what is wrong with it
    orders   reference -> (version, content)
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, context: ssl.SSLContext, host: str = "127.0.0.1", port: int = 0) -> None:
        self.context = context
        self.faults: dict[str, dict[str, Any]] = {}
        self.orders: dict[str, tuple[int, Any]] = {}
        self.lock = threading.Lock()
        super().__init__((host, port), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread: a client that is slow with its handshake keeps nobody waiting."""
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except (OSError, ssl.SSLError):
            return
        try:
            _Handler(secured, client_address, self)
        finally:
            secured.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


def context_of(certificate: Path, key: Path, authority: Path) -> ssl.SSLContext:
    """TLS that asks for a client certificate of the authority's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: FictitiousSource
    body: bytes
    query: dict[str, str]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """A path may hold what nobody should keep."""

    def do(self) -> None:
        parts = urlsplit(self.path)
        self.body, self.query = self._read(), dict(parse_qsl(parts.query))
        fault = self._fault(parts.path)
        if fault is not None and self._broken(fault):
            return
        route = getattr(self, f"_{parts.path.strip('/').replace('/', '_')}", None)
        if route is None:
            self._answer(404, {"error": "there is nothing here"})
            return
        route()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815  as the base class calls them

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _fault(self, path: str) -> dict[str, Any] | None:
        with self.server.lock:
            fault = self.server.faults.get(path)
            if fault is None:
                return None
            return fault if next(fault["count"]) % fault["every"] == 0 else None

    def _broken(self, fault: dict[str, Any]) -> bool:
        """Whether nothing more is to be answered."""
        match fault["mode"]:
            case "slow":
                fault["over"].wait(fault["seconds"])
                return False
            case "silent":
                pass
            case "hangs-up":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{")
            case "malformed":
                self.wfile.write(b"\x00\x01 this is not HTTP\r\n\r\n")
            case "fails":
                self._answer(500, {"error": "at com.example.Secret.inner(Secret.java:42)"})
                return True
            case "elsewhere":
                self.send_response(302)
                self.send_header("Location", "https://inner.example.invalid/")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return True
            case "huge":
                self._endless(b" " * 65_536, 0.0)
            case "drips":
                self._endless(b" ", 1.0)
        self.close_connection = True
        return True

    def _endless(self, piece: bytes, pause_s: float) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        while True:
            self.wfile.write(piece)
            time.sleep(pause_s)

    def _answer(self, status: int, document: Any, **headers: str) -> None:
        self._send(status, json.dumps(document).encode(), "application/json", **headers)

    def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Set-Cookie", "inner=1")
        self.send_header("X-Inner", "secret")
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _faults(self) -> None:
        asked = json.loads(self.body) if self.body else {}
        with self.server.lock:
            if self.command == "DELETE":
                for fault in self.server.faults.values():
                    fault["over"].set()
                self.server.faults.clear()
            elif asked.get("mode") in MODES:
                fault = {"seconds": 5.0, "every": 1, **asked, "count": itertools.count(), "over": threading.Event()}
                self.server.faults[str(asked["path"])] = fault
            else:
                self._answer(400, {"error": f"mode is one of {', '.join(MODES)}"})
                return
        self._answer(200, {"faults": {path: each["mode"] for path, each in self.server.faults.items()}})

    def _places(self) -> None:
        self._answer(200, {"places": [{"school": "Korsbæk Skole", "free": 7}]})

    def _residents(self) -> None:
        try:
            number = json.loads(self.body)["pnr"]
        except (ValueError, KeyError, TypeError):
            self._answer(400, {"error": "send pnr"})
            return
        if not isinstance(number, str) or not re.fullmatch("[0-9]{10}", number):
            self._answer(422, {"error": "pnr has ten digits"})
            return
        town = _TOWNS[int(number[-1]) % len(_TOWNS)]
        self._answer(200, {"resident": {"pnr": number, "status": "01", "municipality_code": town}}, ETag='"1"')

    def _orders(self) -> None:
        asked = json.loads(self.body or b"{}")
        reference = str(asked.get("reference", ""))
        with self.server.lock:
            version, _ = self.server.orders.get(reference, (0, None))
            known = self.headers.get("If-Match")
            if known is not None and known != f'"{version}"':
                self._answer(412, {"error": "somebody changed it"}, ETag=f'"{version}"')
                return
            if self.command == "DELETE":
                self.server.orders.pop(reference, None)
            else:
                self.server.orders[reference] = (version + 1, asked)
        self._answer(201 if version == 0 else 200, {"reference": reference, "stored": self.command != "DELETE"},
                     ETag=f'"{version + 1}"')  # fmt: skip

    def _soap(self) -> None:
        namespace = next((each for each in _ENVELOPES if each in self.body), _ENVELOPES[0])
        found = _BODY.search(self.body)
        inner = found[1].strip() if found else b"<fault/>"
        answer = b'<s:Envelope xmlns:s="%s"><s:Body><Echo>%s</Echo></s:Body></s:Envelope>' % (namespace, inner)
        kind = "text/xml; charset=utf-8" if namespace == _ENVELOPES[0] else "application/soap+xml; charset=utf-8"
        self._send(200, answer, kind)

    def _echo(self) -> None:
        headers = {name.lower(): text for name, text in self.headers.items()}
        self._answer(200, {"method": self.command, "headers": headers, "query": self.query, "bytes": len(self.body)})

    def _bytes(self) -> None:
        left = int(self.query.get("count", "0"))
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(left))
        self.end_headers()
        while left > 0:
            piece = b"b" * min(left, 65_536)
            self.wfile.write(piece)
            left -= len(piece)
