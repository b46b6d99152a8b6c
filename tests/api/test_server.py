"""The server: what it does with broken HTTP, what the application sees of TLS, and how it stops."""

import json
import socket
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from api import server_context
from api.errors import ServerCertificateInvalid, TrustInvalid
from control import load_trust
from kernel import RowsDelivered
from tests.api.house import CLOCK, Client, House, serving
from tests.waiting import eventually


def wire(house: House, port: int, sent: bytes, *, certificate: str | None = None) -> bytes:
    """What comes back for bytes sent over TLS, until the server closes."""
    context = house.context(certificate)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=60) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secured,
    ):
        received = b""
        try:
            secured.sendall(sent)
            while piece := secured.recv(65_536):
                received += piece
        except (ConnectionError, ssl.SSLError):
            pass
        return received


class TestBrokenHttp:
    @pytest.mark.parametrize(
        "sent",
        [
            b"hello\r\n\r\n",
            b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        ],
    )
    def test_is_answered_with_a_problem(self, standing: tuple[House, int], sent: bytes) -> None:
        head, _, body = wire(*standing, sent).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["code"] == "http_invalid"

    def test_headers_without_an_end_are_cut_off(self, standing: tuple[House, int]) -> None:
        received = wire(*standing, b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
        assert received == b"" or received.startswith(b"HTTP/1.1 431 ")

    def test_an_upgrade_is_answered_as_if_it_had_not_been_asked_for(self, standing: tuple[House, int]) -> None:
        sent = b"GET /health/live HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n"
        assert b'{"status":"live"}' in wire(*standing, sent)

    def test_several_requests_at_once_are_answered_in_turn(self, standing: tuple[House, int]) -> None:
        one = b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n"
        last = b"GET /health/ready HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        received = wire(*standing, one * 3 + last)
        assert received.count(b"HTTP/1.1 200 OK") == 4
        assert received.rindex(b'"ready"') > received.rindex(b'"live"')


class TestTheScope:
    def test_holds_the_asgi_tls_extension(self, house: House) -> None:
        seen: list[dict[str, Any]] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope["extensions"])
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        with serving(house, app) as (_, port):
            for certificate in ("one", None):
                client = Client(house, port, certificate)
                client.get("/")
                client.close()
        tls = seen[0]["tls"]
        own = (house.root / "one.pem").read_text()
        assert own.startswith(tls["client_cert_chain"][0])
        assert len(tls["client_cert_chain"]) == 2
        assert tls["client_cert_name"].startswith("CN=one,")
        assert tls["tls_version"] == 0x0304
        assert tls["cipher_suite"] in {0x1301, 0x1302, 0x1303}
        assert seen[0]["knudepunkt.peer"].fingerprint == house.fingerprint("one")
        assert seen[1]["tls"]["client_cert_chain"] == ()
        assert "knudepunkt.peer" not in seen[1]


class TestTrust:
    def test_a_folder_without_an_authority_stops_the_start(self, house: House, tmp_path: Path) -> None:
        with pytest.raises(TrustInvalid, match="no authority"):
            self.context(house, tmp_path)

    def test_a_clients_certificate_among_the_authorities_stops_the_start(self, house: House, tmp_path: Path) -> None:
        (tmp_path / "one.pem").write_bytes((house.root / "one.pem").read_bytes())
        with pytest.raises(TrustInvalid, match="which is no authority"):
            self.context(house, tmp_path)

    def test_an_authority_that_is_out_of_date_is_trusted_no_more(self, house: House) -> None:
        with pytest.raises(TrustInvalid, match="valid now"):
            self.context(house, house.root / "trust", at=datetime.now(UTC) + timedelta(days=20 * 365))

    def test_an_issuing_authority_may_stand_there_without_its_root(self, house: House, tmp_path: Path) -> None:
        issuing = load_trust(house.root / "trust")[1]
        (tmp_path / "issuing.pem").write_bytes(issuing.public_bytes(Encoding.PEM))
        assert self.context(house, tmp_path).get_ca_certs()

    def test_a_key_that_is_not_the_certificates_stops_the_start(self, house: House) -> None:
        with pytest.raises(ServerCertificateInvalid, match=r"server\.pem with one\.key"):
            server_context(
                house.root / "server.pem", house.root / "one.key", house.root / "trust",
                at=CLOCK.now(), on_refused=lambda _: None,
            )  # fmt: skip

    def context(self, house: House, trust: Path, at: datetime | None = None) -> ssl.SSLContext:
        files = house.root / "server.pem", house.root / "server.key"
        return server_context(*files, trust, at=at or CLOCK.now(), on_refused=lambda _: None)


class TestStopping:
    def test_a_running_stream_is_finished_and_new_connections_are_not_taken(self, house: House) -> None:
        house.many = 600_000
        received: list[bytes] = []
        try:
            with serving(house, drain_s=20, folder="drained") as (server, port):
                client = Client(house, port)
                connection = client.connected()
                connection.request("GET", "/v1/services/municipalities-extract/extract?format=ndjson")
                answer = connection.getresponse()
                received.append(answer.read(1_000_000))
                server.stop()
                eventually(lambda: _refuses(port))
                while piece := answer.read(1_000_000):
                    received.append(piece)
                client.close()
        finally:
            house.many = 0
        assert b"".join(received).count(b"\n") == 600_000
        (delivery,) = [fact for fact in house.facts if isinstance(fact, RowsDelivered)]
        assert (delivery.whole, delivery.rows) == (True, 600_000)

    def test_a_stream_that_takes_too_long_is_cut_and_on_record_as_cut(self, house: House) -> None:
        house.many = 600_000
        try:
            with serving(house, drain_s=1, folder="cut-at-stop") as (server, port):
                client = Client(house, port)
                connection = client.connected()
                connection.request("GET", "/v1/services/municipalities-extract/extract?format=ndjson")
                connection.getresponse().read(1_000)
                server.stop()
                eventually(lambda: any(isinstance(fact, RowsDelivered) for fact in house.facts))
                client.close()
        finally:
            house.many = 0
        (delivery,) = [fact for fact in house.facts if isinstance(fact, RowsDelivered)]
        assert delivery.whole is False

    def test_idle_connections_do_not_hold_it_up(self, house: House) -> None:
        # Whoever serves here takes it for hung long before that.
        with serving(house, drain_s=3_600) as (_, port):
            client = Client(house, port)
            client.get("/health/live")
        client.close()

    def test_after_a_signal_the_process_goes_on_to_put_its_things_in_order(self, house: House) -> None:
        program = (
            "import socket, sys; from datetime import UTC, datetime; from pathlib import Path\n"
            "from api import serve, server_context\n"
            "root = Path(sys.argv[1]); listening = socket.create_server(('127.0.0.1', 0))\n"
            "context = server_context(root / 'server.pem', root / 'server.key', root / 'trust',\n"
            "                         at=datetime.now(UTC), on_refused=print)\n"
            "print(listening.getsockname()[1], flush=True)\n"
            "serve(None, listening, context, drain_s=5)\n"
            "print('ledger sealed', flush=True)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(house.root)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        assert process.stdout is not None
        port = int(process.stdout.readline())
        eventually(lambda: _answers(house, port))
        process.terminate()
        assert process.stdout.read() == "ledger sealed\n"
        assert process.wait(timeout=60) == 0
        process.stdout.close()


def _answers(house: House, port: int) -> bool:
    # The application is None, so any answer at all is a 500 of the server's own.
    try:
        return wire(house, port, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n") != b""
    except OSError:
        return False


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


def test_no_thread_of_a_stopped_server_stays(house: House) -> None:
    before = {thread.name for thread in threading.enumerate() if not thread.name.startswith("api_")}
    with serving(house):
        pass
    assert {thread.name for thread in threading.enumerate() if not thread.name.startswith("api_")} <= before
