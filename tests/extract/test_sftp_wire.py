"""The fast way for packets gives the bytes that the slow one gives, with every cipher, window and client."""

import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest

from extract.delivery import sftp_wire
from extract.delivery.sftp_connection import CIPHERS
from tests.extract.builders import CVR, SERVICE, grant, plan
from tests.extract.conftest import Source
from tests.extract.hall import Hall, new_key, open_hall
from tests.waiting import eventually

FILE = f"/{CVR}/{SERVICE}/{plan(grant()).file_name}"


@pytest.fixture
def hall(tmp_path: Path, source: Source) -> Iterator[Hall]:
    with open_hall(tmp_path, source) as hall:
        hall.allow(grant(), plan(grant()))
        yield hall


def whole(hall: Hall) -> str:
    return hall.store.open(plan(grant())).manifest.sha256


def connected(hall: Hall, **options: int) -> paramiko.Transport:
    return paramiko.Transport(socket.create_connection(("127.0.0.1", hall.port)), **options)  # type: ignore[arg-type]


def fetched(hall: Hall, transport: paramiko.Transport) -> str:
    transport.connect(username="x", pkey=paramiko.Ed25519Key.from_private_key_file(str(hall.key_file)))
    client = paramiko.SFTPClient.from_transport(transport)
    assert client is not None
    with client.open(FILE) as file:
        file.prefetch()
        text = file.read()
    transport.close()
    return hashlib.sha256(text).hexdigest()


@pytest.mark.parametrize("cipher", CIPHERS)
def test_every_cipher_carries_the_same_bytes(hall: Hall, cipher: str) -> None:
    transport = connected(hall)
    transport.get_security_options().ciphers = (cipher,)
    assert fetched(hall, transport) == whole(hall)


@pytest.mark.parametrize(("window", "packet"), [(40_000, 32_768), (1_000_000, 4_096), (2**24, 2**18), (65_537, 9_999)])
def test_every_window_and_size_of_packets_is_kept_to(hall: Hall, window: int, packet: int) -> None:
    transport = connected(hall, default_window_size=window, default_max_packet_size=packet)
    assert fetched(hall, transport) == whole(hall)


def test_a_client_that_does_not_read_is_waited_for_and_then_let_go(hall: Hall) -> None:
    transport = connected(hall, default_window_size=40_000)
    transport.connect(username="x", pkey=paramiko.Ed25519Key.from_private_key_file(str(hall.key_file)))
    client = paramiko.SFTPClient.from_transport(transport)
    assert client is not None
    file = client.open(FILE)
    for number in range(20):
        message = paramiko.Message()
        message.add_int(1_000 + number)
        message.add_string(file.handle)  # type: ignore[arg-type]
        message.add_int64(number * 200_000)
        message.add_int(200_000)
        client._send_packet(5, message)  # type: ignore[attr-defined]
    transport.close()
    eventually(lambda: not any(each.name == "sftp-connection" for each in threading.enumerate()))


def test_a_packet_that_claims_to_be_huge_ends_the_connection(hall: Hall) -> None:
    with socket.create_connection(("127.0.0.1", hall.port)) as plain:
        plain.settimeout(60)
        plain.sendall(b"SSH-2.0-x\r\n" + struct.pack(">I", 2**31) + b"\0" * 64)
        with suppress(ConnectionError):
            while plain.recv(65_536):
                pass


def test_packets_that_are_made_ahead_are_as_those_made_one_at_a_time() -> None:
    pieces = sftp_wire.Pieces(7, memoryview(b"abcdefgh"), [3, 5])
    assert [each.asbytes() for each in pieces.messages()] == [
        b"\x5e\0\0\0\x07\0\0\0\x03abc",
        b"\x5e\0\0\0\x07\0\0\0\x05defgh",
    ]


def test_workers_share_one_port_and_its_connections(tmp_path: Path, source: Source) -> None:
    with open_hall(tmp_path, source, workers=2) as hall:
        hall.allow(grant(), plan(grant()))
        held = [hall.connect() for _ in range(8)]
        # A worker that is given no time meanwhile gets the next one.
        while not all(hall.connections()) and len(held) < 20:
            held.append(hall.connect())
        eventually(lambda: sum(each.name == "sftp-connection" for each in threading.enumerate()) == len(held))
        assert all(count > 0 for count in hall.connections())
        for each in held:
            each.close()


def test_the_key_that_a_host_has_is_kept(tmp_path: Path, source: Source) -> None:
    seen = set()
    new_key(tmp_path / "host_key")
    for _ in range(2):
        with open_hall(tmp_path, source, keep_host_key=True) as hall, hall.client() as client:
            channel = client.get_channel()
            assert channel is not None
            seen.add(channel.get_transport().get_remote_server_key().asbytes())
    assert len(seen) == 1
