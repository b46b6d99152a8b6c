"""moto's S3 server, and a front before it that tests can spoil."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

import botocore.session
from moto.server import ThreadedMotoServer

from tests.sync.connectors.http_server import ThreadedServer
from tests.sync.connectors.peer import SECRET, Mischief

BUCKET = "deliveries"
PREFIX = "libraries/"
ACCESS_KEY = "knudepunkt"
PLAIN = {
    "throttles": (503, "SlowDown"),
    "does not let us in": (403, "SignatureDoesNotMatch"),
    "has no such folder": (404, "NoSuchBucket"),
    "does not understand us": (400, "InvalidRequest"),
}


@dataclass
class S3Peer:
    """client   of the store itself, to put files there
    signed   of each request, whether it was
    """

    port: int
    client: Any
    store_port: int
    mischief: Mischief = field(default_factory=Mischief)
    signed: list[bool] = field(default_factory=list)
    all_closed: Callable[[], bool] = lambda: True

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def reset(self) -> None:
        self.mischief.reset()
        self.signed.clear()
        for each in self.client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
            self.client.delete_object(Bucket=BUCKET, Key=each["Key"])


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5.0
    server: "ThreadedServer[S3Peer]"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        peer, fault = self.server.peer, self.server.peer.mischief.fault
        peer.signed.append("Authorization" in self.headers)
        if fault in PLAIN:
            status, code = PLAIN[fault]
            return self._give(status, {}, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())
        if fault == "says nothing":
            peer.mischief.told.wait(20)
            self.close_connection = True
            return None
        reads = self.command == "GET" and "list-type" not in self.path
        if reads and fault == "changes the file while it is read":
            peer.mischief.once()
        onward = http.client.HTTPConnection("127.0.0.1", peer.store_port, timeout=20)
        try:
            onward.request(self.command, self.path, headers=dict(self.headers))
            answer = onward.getresponse()
            body = answer.read()
        finally:
            onward.close()
        if not reads and fault == "lists what cannot be read":
            body = body[: len(body) // 2]
        headers = {name: value for name, value in answer.getheaders() if name.lower() not in _HOP}
        return self._give(answer.status, headers, body, fault if reads else "")

    do_HEAD = do_GET  # noqa: N815

    def _give(self, status: int, headers: dict[str, str], body: bytes, fault: str = "") -> None:
        size = headers.pop("Content-Length", str(len(body))) if self.command == "HEAD" else str(len(body))
        headers.pop("Content-Length", None)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": size}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault in {"hangs up half way", "falls silent half way"}:
            body = body[: len(body) // 2]
        if self.command != "HEAD":
            self.wfile.write(body)
        if fault == "falls silent half way":
            self.server.peer.mischief.told.wait(20)
        if fault in {"hangs up half way", "falls silent half way"}:
            self.close_connection = True


_HOP = {"connection", "transfer-encoding", "date", "server"}


@contextmanager
def serve_s3() -> Iterator[S3Peer]:
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    _, store_port = store.get_host_and_port()
    client = botocore.session.get_session().create_client(
        "s3", endpoint_url=f"http://127.0.0.1:{store_port}", region_name="eu-west-1",
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET,
    )  # fmt: skip
    try:
        client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        with ThreadedServer[S3Peer](("127.0.0.1", 0), _Front) as front:
            peer = front.peer = S3Peer(front.server_address[1], client, store_port, all_closed=front.all_closed)
            serving = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.02})
            serving.start()
            try:
                yield peer
            finally:
                peer.mischief.reset()
                front.shutdown()
                serving.join()
    finally:
        client.close()
        store.stop()
