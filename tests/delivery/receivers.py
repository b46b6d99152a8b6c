"""Receivers of deliveries: OpenSSH's own server, an HTTPS endpoint, and a line that cuts."""

import getpass
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from extract.delivery.ssh_keys import private_key
from extract.delivery.targets import Reach, SftpTarget
from runtime.ssh_keys import new_ssh_key
from tests.ports import free_port
from tests.sync.connectors.authority import Authority
from tests.waiting import eventually

LOCAL = Reach((ip_network("127.0.0.0/8"), ip_network("::1/128")))


@dataclass
class Sshd:
    """inbox   where deliveries arrive
    key     ours, that it lets in
    """

    port: int
    host_key: str
    inbox: Path
    key: Any
    key_file: Path

    def target(self, *, port: int | None = None, trigger: str = "trigger", **more: str) -> SftpTarget:
        told: dict[str, Any] = {
            "host": "127.0.0.1",
            "user": getpass.getuser(),
            "host_key": self.host_key,
            "folder": str(self.inbox),
        }
        return SftpTarget(**(told | more), port=port or self.port, trigger=trigger)

    def names(self) -> list[str]:
        return sorted(each.name for each in self.inbox.iterdir())


@contextmanager
def openssh(folder: Path) -> Iterator[Sshd]:
    """OpenSSH's server for SFTP, with a key of its own."""
    program = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(program).exists():
        pytest.skip("sshd is not installed; tests/system-packages installs it where it can")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host", "client"):
        private, public = new_ssh_key(name)
        (folder / name).write_bytes(private)
        (folder / name).chmod(0o600)
        (folder / f"{name}.pub").write_bytes(public)
    (folder / "inbox").mkdir()
    port = free_port()
    (folder / "sshd_config").write_text(
        f"""\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder / "host"}
AuthorizedKeysFile {folder / "client.pub"}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 200
Subsystem sftp internal-sftp
"""
    )
    log = (folder / "sshd.log").open("wb")
    server = subprocess.Popen([program, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log)
    try:
        eventually(lambda: _greets(server, port), (folder / "sshd.log").read_text)
        host_key = " ".join((folder / "host.pub").read_text().split()[:2])
        yield Sshd(port, host_key, folder / "inbox", private_key(folder / "client"), folder / "client")
    finally:
        server.terminate()
        server.wait()
        log.close()


def _greets(server: subprocess.Popen[bytes], port: int) -> bool:
    assert server.poll() is None, "it ended by itself"
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 60) as line:
        return line.recv(4) == b"SSH-"
    return False


@dataclass
class Endpoint:
    """answers   statuses to give, in turn; then 204. A text is a place to lead to
    got       headers and body of each request
    """

    port: int
    answers: list[int | str] = field(default_factory=list)
    got: list[tuple[Message, bytes]] = field(default_factory=list)
    clients: list[Any] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/in"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    endpoint: Endpoint

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_POST(self) -> None:
        assert isinstance(self.connection, ssl.SSLSocket)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) != int(self.headers["Content-Length"]):
            self.close_connection = True
            return
        self.endpoint.clients.append(self.connection.getpeercert())
        self.endpoint.got.append((self.headers, body))
        answer = self.endpoint.answers.pop(0) if self.endpoint.answers else 204
        self.send_response(answer if isinstance(answer, int) else 307)
        if isinstance(answer, str):
            self.send_header("Location", answer)
        self.send_header("Content-Length", "0")
        self.end_headers()


@contextmanager
def https(authority: Authority) -> Iterator[Endpoint]:
    """An endpoint that wants a client certificate."""
    endpoint = Endpoint(0)
    handler = type("Handler", (_Handler,), {"endpoint": endpoint})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.certificate)
    context.load_cert_chain(authority.server)
    context.verify_mode = ssl.CERT_REQUIRED
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    endpoint.port = server.server_address[1]
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    try:
        yield endpoint
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def client_context(authority: Authority) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.certificate)
    context.load_cert_chain(authority.client)
    return context


@dataclass
class Line:
    """A line to a server that ends after so many bytes of ours, once for each number in `cuts`."""

    port: int
    cuts: list[int] = field(default_factory=list)
    connections: int = 0


@contextmanager
def cutting(server_port: int) -> Iterator[Line]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = Line(listening.getsockname()[1])
        accepting = threading.Thread(target=_accept, args=(listening, line, server_port), daemon=True)
        accepting.start()
        try:
            yield line
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join()


def _accept(listening: socket.socket, line: Line, server_port: int) -> None:
    with suppress(OSError):
        while True:
            client = listening.accept()[0]
            line.connections += 1
            server = socket.create_connection(("127.0.0.1", server_port))
            cut = line.cuts.pop(0) if line.cuts else None
            threading.Thread(target=_pump, args=(client, server, cut), daemon=True).start()
            threading.Thread(target=_pump, args=(server, client, None), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, cut: int | None) -> None:
    left = cut
    with suppress(OSError):
        while left is None or left > 0:
            piece = source.recv(65_536 if left is None else min(left, 65_536))
            if not piece:
                break
            sink.sendall(piece)
            left = None if left is None else left - len(piece)
    for each in (source, sink):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
