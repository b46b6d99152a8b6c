"""What an SFTP session puts in the ledger, and when it ends."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import paramiko
import pytest
from paramiko.packet import Packetizer
from paramiko.sftp import CMD_CLOSE

from extract import SftpSettings
from extract.delivery.sftp_transfer import RECHECK_S
from kernel import CallAnswered, CallRefused, Operation, RowsDelivered
from tests.extract.builders import CVR, SERVICE, grant, plan
from tests.extract.conftest import Source
from tests.extract.hall import Hall, open_hall
from tests.waiting import eventually

PLACE = f"/{CVR}/{SERVICE}"
NAME = plan(grant()).file_name
FILE = f"{PLACE}/{NAME}"


@pytest.fixture
def hall(tmp_path: Path, source: Source) -> Iterator[Hall]:
    with open_hall(tmp_path, source) as hall:
        hall.allow(grant(), plan(grant()))
        yield hall


def size_of(hall: Hall) -> int:
    size = hall.store.open(plan(grant())).size_bytes
    assert size is not None
    return size


class TestLedger:
    def test_has_the_opening_before_any_byte(self, hall: Hall) -> None:
        with hall.client() as client:
            file = client.open(FILE)
            (answered,) = hall.of(CallAnswered)
            assert (answered.operation, answered.status, answered.system) == (Operation.EXTRACT, 200, "system-1")
            assert (answered.agreement, answered.terms_hash) == (grant().agreement, grant().terms_hash)
            assert (answered.rows, answered.size_bytes) == (0, 0)
            assert hall.of(RowsDelivered) == []
            file.close()

    def test_that_fails_lets_nothing_leave(self, hall: Hall) -> None:
        with hall.client() as client:
            hall.deaf = True
            with pytest.raises(OSError, match="house_fault"):
                client.open(FILE)
            hall.deaf = False
            assert client.open(FILE).read(6) == b"number"

    def test_that_fails_at_the_end_is_told_to_the_client(self, hall: Hall) -> None:
        with hall.client() as client:
            file = client.open(FILE)
            file.read()
            hall.deaf = True
            # Asked for by hand: paramiko's own close() does not pass on what it hears.
            with pytest.raises(OSError, match="house_fault"):
                client._request(CMD_CLOSE, file.handle)  # type: ignore[attr-defined]

    def test_has_the_end_before_the_client_hears_of_it(self, hall: Hall) -> None:
        with hall.client() as client:
            with client.open(FILE) as file:
                file.read()
            (delivered,) = hall.of(RowsDelivered)
        assert (delivered.rows, delivered.size_bytes, delivered.whole) == (20_000, size_of(hall), True)

    def test_has_a_transfer_that_broke_off(self, hall: Hall) -> None:
        transport = hall.connect()
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        assert len(client.open(FILE).read(100_000)) == 100_000
        transport.close()
        eventually(lambda: hall.of(RowsDelivered))
        (delivered,) = hall.of(RowsDelivered)
        assert not delivered.whole
        assert delivered.size_bytes >= 100_000
        assert 0 < delivered.rows < 20_000

    def test_counts_each_byte_of_a_transfer_once(self, hall: Hall) -> None:
        with hall.client() as client, client.open(FILE) as file:
            for _ in range(3):
                file.seek(0)
                file.read()
        (delivered,) = hall.of(RowsDelivered)
        assert (delivered.rows, delivered.size_bytes) == (20_000, size_of(hall))

    def test_does_not_take_the_last_bytes_for_the_rows_before_them(self, hall: Hall) -> None:
        with hall.client() as client, client.open(FILE) as file:
            file.seek(size_of(hall) - 50)
            file.read()
        (delivered,) = hall.of(RowsDelivered)
        assert delivered.rows <= 1

    def test_a_transfer_with_a_hole_is_not_whole(self, hall: Hall) -> None:
        with hall.client() as client, client.open(FILE) as file:
            file.read(50_000)
            file.seek(500_000)
            file.read()
        (delivered,) = hall.of(RowsDelivered)
        assert not delivered.whole
        assert delivered.size_bytes == size_of(hall) - 450_000

    def test_counts_many_small_transfers_as_the_whole_they_make(self, hall: Hall) -> None:
        size, step = size_of(hall), 200_000
        with hall.client() as client:
            for start in range(0, size, step):
                with client.open(FILE) as file:
                    file.seek(start)
                    file.read(step)
        assert sum(each.rows for each in hall.of(RowsDelivered)) == 20_000

    def test_has_no_line_for_what_holds_no_rows(self, hall: Hall) -> None:
        with hall.client() as client:
            for name in ("SHA256SUMS", f"{NAME}.manifest.json"):
                assert client.open(f"{PLACE}/{name}").read()
            client.stat(FILE)
            client.listdir(PLACE)
        assert hall.facts == []

    def test_of_a_file_that_came_to_the_shelf_without_its_manifest_is_not_passed_by(self, hall: Hall) -> None:
        hall.shelf.folder(grant().agreement, SERVICE).joinpath(f"{NAME}.manifest.json").unlink()
        with hall.client() as client, pytest.raises(FileNotFoundError):
            client.open(FILE)


class TestPermission:
    def test_that_ends_takes_everything_out_of_sight_at_once(self, hall: Hall) -> None:
        with hall.client() as client:
            assert client.listdir("/") == [CVR]
            hall.grants.clear()
            assert client.listdir("/") == []
            with pytest.raises(FileNotFoundError):
                client.open(FILE)

    def test_that_ends_stops_a_transfer_under_way(self, hall: Hall) -> None:
        with hall.client() as client:
            file = client.open(FILE)
            file.read(1_000)
            hall.grants.clear()
            time.sleep(RECHECK_S + 0.05)
            file.seek(0)
            with pytest.raises(PermissionError, match="agreement_not_live"):
                file.read(40_000)
            file.close()
        (delivered,) = hall.of(RowsDelivered)
        assert not delivered.whole

    def test_of_a_key_that_is_revoked_ends_with_it(self, hall: Hall) -> None:
        with hall.client() as client:
            file = client.open(FILE)
            hall.keys.clear()
            time.sleep(RECHECK_S + 0.05)
            assert client.listdir("/") == []
            with pytest.raises(PermissionError):
                file.read(1_000)


class TestTime:
    @pytest.fixture
    def impatient(self, tmp_path: Path, source: Source, request: pytest.FixtureRequest) -> Iterator[Hall]:
        """With settings that the test names; all others are generous."""
        with open_hall(tmp_path / "impatient", source, SftpSettings(**request.param)) as hall:
            hall.allow(grant(), plan(grant()))
            yield hall

    def test_from_one_address_takes_no_other_addresss_places(self, tmp_path: Path, source: Source) -> None:
        settings = SftpSettings(login_s=300, logins=4, address_logins=2)
        with open_hall(tmp_path / "besieged", source, settings) as hall, ExitStack() as stack:
            hall.allow(grant(), plan(grant()))
            flood = [
                stack.enter_context(socket.create_connection(("127.0.0.1", hall.port), source_address=("127.0.0.2", 0)))
                for _ in range(6)
            ]
            greeted = 0
            for each in flood:
                each.settimeout(60)
                with suppress(ConnectionError):
                    greeted += each.recv(4) == b"SSH-"
            assert greeted == 2
            hall.connect().close()

    @pytest.mark.parametrize("impatient", [{"login_s": 0.5}], indirect=True)
    def test_to_log_in_is_limited(self, impatient: Hall) -> None:
        with socket.create_connection(("127.0.0.1", impatient.port)) as silent:
            silent.settimeout(60)
            while silent.recv(1_000):
                pass

    @pytest.mark.parametrize("impatient", [{"login_s": 3.0}], indirect=True)
    def test_to_log_in_is_limited_also_for_who_names_a_bound_key(self, impatient: Hall) -> None:
        transport = paramiko.Transport(socket.create_connection(("127.0.0.1", impatient.port)))
        transport.start_client()
        key = paramiko.Ed25519Key.from_private_key_file(str(impatient.key_file))
        ask = paramiko.Message()
        ask.add_byte(b"\x32")
        for word in ("x", "ssh-connection", "publickey"):
            ask.add_string(word)
        ask.add_boolean(False)
        ask.add_string("ssh-ed25519")
        ask.add_string(key.asbytes())
        service = paramiko.Message()
        service.add_byte(b"\x05")
        service.add_string("ssh-userauth")
        transport._send_message(service)  # type: ignore[attr-defined]
        transport._send_message(ask)  # type: ignore[attr-defined]
        eventually(lambda: not transport.is_active())
        eventually(lambda: "ssh_key_not_proved" in {fact.code for fact in impatient.of(CallRefused)})
        transport.close()

    @pytest.mark.parametrize("impatient", [{"idle_s": 0.8}], indirect=True)
    def test_without_a_request_is_limited(self, impatient: Hall) -> None:
        transport = impatient.connect()
        eventually(lambda: not transport.is_active())
        transport.close()

    @pytest.mark.parametrize("impatient", [{"idle_s": 2.0}], indirect=True)
    def test_with_requests_is_not(self, impatient: Hall) -> None:
        with impatient.client() as client:
            end = time.monotonic() + 2.5
            while time.monotonic() < end:
                time.sleep(0.05)
                assert client.listdir("/") == [CVR]

    @pytest.mark.parametrize("impatient", [{"connections": 3, "logins": 2}], indirect=True)
    def test_connections_are_limited_and_come_back(self, impatient: Hall) -> None:
        held = [impatient.connect() for _ in range(3)]
        with pytest.raises((paramiko.SSHException, EOFError, OSError)):
            impatient.connect()
        held.pop().close()
        eventually(lambda: impatient.connections() == [2])
        impatient.connect().close()
        for each in held:
            each.close()


class TestStop:
    def test_lets_a_running_transfer_end(self, hall: Hall) -> None:
        with hall.client() as client:
            file = client.open(FILE)
            file.read(1_000)
            hall.stop.set()
            time.sleep(0.5)
            file.seek(0)
            assert len(file.read()) == size_of(hall)
            file.close()
            (delivered,) = hall.of(RowsDelivered)
            assert delivered.whole

    def test_cuts_a_transfer_that_takes_too_long_and_says_so(self, tmp_path: Path, source: Source) -> None:
        with open_hall(tmp_path / "short", source, SftpSettings(grace_s=0.3)) as hall:
            hall.allow(grant(), plan(grant()))
            transport = hall.connect()
            client = paramiko.SFTPClient.from_transport(transport)
            assert client is not None
            file = client.open(FILE)
            file.read(1_000)
            hall.stop.set()
            # In less than it is given where nothing else is set.
            eventually(lambda: not transport.is_active(), patience_s=20)
            transport.close()
            assert file.readable()
        eventually(lambda: hall.of(RowsDelivered))
        (delivered,) = hall.of(RowsDelivered)
        assert not delivered.whole


class TestManyAtOnce:
    def test_eight_clients_get_the_same_bytes(self, hall: Hall) -> None:
        def fetch(_: int) -> bytes:
            with hall.client() as client, client.open(FILE) as file:
                file.prefetch()
                return file.read()

        with ThreadPoolExecutor(8) as threads:
            texts = set(threads.map(fetch, range(8)))
        assert texts == {hall.store.open(plan(grant())).path.read_bytes()}
        assert [each.whole for each in hall.of(RowsDelivered)] == [True] * 8

    def test_two_files_in_one_session(self, hall: Hall) -> None:
        other = plan(grant(), columns="number")
        hall.grants.clear()
        hall.allow(grant(), plan(grant()), other)
        with hall.client() as client:
            one, two = client.open(FILE), client.open(f"{PLACE}/{other.file_name}")
            for _ in range(20):
                one.read(1_000)
                two.read(1_000)
            one.close()
            two.close()
        assert len({each.trace for each in hall.of(RowsDelivered)}) == 2


def test_the_server_negotiates_new_keys_in_the_middle_of_a_long_transfer(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    # After 512 MB in earnest; a register of 9 M persons is more.
    monkeypatch.setattr(Packetizer, "REKEY_BYTES", 200_000)
    with hall.client() as client, client.open(FILE) as file:
        file.prefetch()
        assert len(file.read()) == size_of(hall)


def test_leaves_no_thread_behind(tmp_path: Path, source: Source) -> None:
    before = threading.active_count()
    with open_hall(tmp_path / "brief", source) as hall:
        hall.allow(grant(), plan(grant()))
        for _ in range(5):
            with hall.client() as client:
                client.listdir("/")
    eventually(lambda: threading.active_count() <= before)
