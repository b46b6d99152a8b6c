"""What a client with a good key must never reach, and what one without must never learn."""

import hashlib
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.message import Message
from paramiko.sftp import CMD_EXTENDED, CMD_OPEN, CMD_READ, CMD_WRITE, SFTP_FLAG_READ

from extract import Format, SftpSettings
from kernel import CallAnswered, CallRefused, RowsDelivered
from tests.extract.builders import CVR, SERVICE, grant, plan, residents
from tests.extract.conftest import Source
from tests.extract.hall import Hall, fingerprint, new_key, open_hall
from tests.waiting import eventually

OTHER_CVR = "33333333"
PLACE = f"/{CVR}/{SERVICE}"
NAME = plan(grant()).file_name
NARROW = grant("number born", agreement="agreement-2", system="system-2", cvr=OTHER_CVR)
OTHERS = plan(NARROW).file_name


@pytest.fixture(scope="module")
def hall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """Two systems, each with a file of its own; one server for all attacks, since none may change anything."""
    with open_hall(tmp_path_factory.mktemp("hall"), Source(residents(6_000).combine_chunks())) as hall:
        hall.allow(grant(), plan(grant()))
        hall.allow(NARROW, plan(NARROW))
        (hall.folder / "agreements" / "secret").write_text("outside of every shelf")
        shelf = hall.shelf.folder(grant().agreement, SERVICE)
        (shelf / "link.csv").symlink_to("/etc/passwd")
        (shelf / ".hidden").write_text("half of something")
        (shelf / "unfinished.csv").write_text("no manifest yet")
        yield hall


@pytest.fixture(scope="module")
def client(hall: Hall) -> Iterator[paramiko.SFTPClient]:
    with hall.client() as client:
        yield client


ESCAPES = [
    "/etc/passwd",
    "../../../../etc/passwd",
    f"{PLACE}/../../../../../etc/passwd",
    f"{PLACE}/../{SERVICE}/../../../etc/passwd",
    f"{PLACE}/..%2f..%2fetc%2fpasswd",
    f"{PLACE}/..\\..\\etc\\passwd",
    f"{PLACE}/....//....//etc/passwd",
    f"{PLACE}/\u2025/etc/passwd",
    f"{PLACE}/\uff0e\uff0e\uff0fetc\uff0fpasswd",
    f"{PLACE}/\u2215etc\u2215passwd",
    f"{PLACE}/{NAME}\0.txt",
    f"{PLACE}/{NAME}/../../../../etc/passwd",
    f"{PLACE}/{NAME}/.",
    f"{PLACE}/{NAME.upper()}",
    f"{PLACE}/{NAME} ",
    f"{PLACE}/link.csv",
    f"{PLACE}/.hidden",
    f"{PLACE}/.lock",
    f"{PLACE}/unfinished.csv",
    f"{PLACE}/*",
    f"{PLACE}/{'a' * 5_000}",
    f"/{OTHER_CVR}/{SERVICE}/{OTHERS}",
    f"{PLACE}/{OTHERS}",
    f"{PLACE}/../../{OTHER_CVR}/{SERVICE}/{OTHERS}",
    "/secret",
    "/agreement-1",
    f"/agreement-1/{SERVICE}/{NAME}",
    "/../secret",
    "~/secret",
    "file:///etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "\\\\server\\share",
    "C:\\secret",
    "$(id)",
    "`id`",
    "| id",
]


class TestPaths:
    @pytest.mark.parametrize("path", ESCAPES)
    def test_lead_to_nothing_but_ones_own_files(self, client: paramiko.SFTPClient, path: str) -> None:
        if path == f"{PLACE}/{NAME}/.":
            # Worked out on the text: this is the file itself, as with the client's own normalisation.
            assert client.stat(path).st_size
            return
        with pytest.raises(OSError, match=r"no such file"):
            client.open(path).read(1)
        with pytest.raises(OSError, match=r"no such file"):
            client.stat(path)
        with pytest.raises(OSError, match=r"no such file"):
            client.listdir(path)

    @pytest.mark.parametrize("name", [b"\xff\xfe", b"\xed\xa0\x80", b"\xc0\xaf..\xc0\xafetc", b"\x80" * 300])
    def test_that_are_not_utf_8_belong_to_nothing(self, hall: Hall, name: bytes) -> None:
        with hall.client() as client:
            answer = raw(client, CMD_OPEN, name, SFTP_FLAG_READ, 0)
        assert "no such file" in answer

    def test_show_what_there_is_and_no_more(self, client: paramiko.SFTPClient) -> None:
        assert client.listdir("/") == [CVR]
        assert client.listdir(f"/{CVR}") == [SERVICE]
        assert sorted(client.listdir(PLACE)) == ["SHA256SUMS", NAME, f"{NAME}.manifest.json"]

    def test_are_worked_out_on_the_text(self, client: paramiko.SFTPClient) -> None:
        assert client.normalize("a/../../..//b/./c") == "/b/c"
        assert client.normalize(".") == "/"

    def test_say_read_only(self, client: paramiko.SFTPClient) -> None:
        mode = client.stat(f"{PLACE}/{NAME}").st_mode
        assert mode is not None
        assert stat.S_IMODE(mode) == 0o444


class TestRequestsThatChange:
    @pytest.mark.parametrize("mode", ["w", "a", "r+", "x", "wb+"])
    def test_open_no_file_for_writing(self, client: paramiko.SFTPClient, mode: str) -> None:
        for path in (f"{PLACE}/{NAME}", f"{PLACE}/new.csv", "/new.csv"):
            with pytest.raises(PermissionError, match="read_only"):
                client.open(path, mode)

    def test_are_all_refused(self, client: paramiko.SFTPClient) -> None:
        path = f"{PLACE}/{NAME}"
        requests: tuple[Callable[[], object], ...] = (
            lambda: client.remove(path),
            lambda: client.rename(path, f"{PLACE}/x"),
            lambda: client.posix_rename(path, f"{PLACE}/x"),
            lambda: client.mkdir(f"{PLACE}/x"),
            lambda: client.rmdir(PLACE),
            lambda: client.symlink("/etc/passwd", f"{PLACE}/x"),
            lambda: client.chmod(path, 0o777),
            lambda: client.chown(path, 0, 0),
            lambda: client.truncate(path, 0),
            lambda: client.utime(path, (0, 0)),
            lambda: client.readlink(f"{PLACE}/link.csv"),
        )
        for request in requests:
            with pytest.raises(PermissionError, match="read_only"):
                request()

    def test_are_refused_on_an_open_file(self, client: paramiko.SFTPClient) -> None:
        with client.open(f"{PLACE}/{NAME}") as file:
            requests: tuple[Callable[[], object], ...] = (lambda: file.chmod(0o777), lambda: file.truncate(0))
            for request in requests:
                with pytest.raises(PermissionError, match="read_only"):
                    request()
            assert "read_only" in raw(client, CMD_WRITE, file.handle, 0, b"x" * 10, wide=(1,))

    @pytest.mark.parametrize(
        "name", ["hardlink@openssh.com", "posix-rename@openssh.com", "lsetstat@openssh.com", "copy-data"]
    )
    def test_are_refused_as_extensions(self, client: paramiko.SFTPClient, name: str) -> None:
        assert "read_only" in raw(client, CMD_EXTENDED, name, "/a", "/b")


class TestRequestsThatCost:
    def test_a_read_of_four_gigabytes_gets_a_piece(self, client: paramiko.SFTPClient) -> None:
        with client.open(f"{PLACE}/{NAME}") as file:
            kind, data = asked(client, CMD_READ, file.handle, 0, 0xFFFFFFFF, wide=(1,))
        assert kind == 103
        assert len(data) == 255 * 1024 + 8

    def test_a_read_beyond_the_end_is_the_end(self, client: paramiko.SFTPClient) -> None:
        with client.open(f"{PLACE}/{NAME}") as file:
            for offset in (2**63 - 1, 2**63, 2**64 - 1):
                assert "End of file" in raw(client, CMD_READ, file.handle, offset, 32_768, wide=(1,))

    def test_hashes_of_made_up_lengths_are_not_computed(self, client: paramiko.SFTPClient) -> None:
        with client.open(f"{PLACE}/{NAME}") as file:
            answer = raw(client, CMD_EXTENDED, "check-file", file.handle, "md5", 0, 2**62, 0, wide=(3, 4))
        assert "not known" in answer

    @pytest.mark.parametrize("name", ["statvfs@openssh.com", "users-groups-by-id@openssh.com", "", "\0", "x" * 10_000])
    def test_other_extensions_are_not_known(self, client: paramiko.SFTPClient, name: str) -> None:
        assert "not known" in raw(client, CMD_EXTENDED, name, "/")

    @pytest.mark.parametrize("kind", [0, 21, 22, 99, 150, 255])
    def test_nor_are_requests_of_no_kind(self, client: paramiko.SFTPClient, kind: int) -> None:
        assert "not known" in raw(client, kind, "/")

    def test_files_held_open_are_limited(self, hall: Hall) -> None:
        with hall.client() as client:
            held = [client.open(f"{PLACE}/SHA256SUMS") for _ in range(100)]
            with pytest.raises(OSError, match="too many"):
                client.open(f"{PLACE}/SHA256SUMS")
            held[0].close()
            client.open(f"{PLACE}/SHA256SUMS").close()

    def test_a_packet_without_end_ends_the_session(self, hall: Hall) -> None:
        transport = hall.connect()
        channel = transport.open_session()
        channel.invoke_subsystem("sftp")
        channel.settimeout(60)
        channel.sendall(struct.pack(">IBI", 5, 1, 3))
        assert channel.recv(1_000)
        channel.sendall(struct.pack(">I", 2**24 - 1))
        assert channel.recv(1_000) == b""
        transport.close()

    def test_channels_are_limited_and_come_back(self, hall: Hall) -> None:
        transport = hall.connect()
        clients = [paramiko.SFTPClient.from_transport(transport) for _ in range(10)]
        with pytest.raises(paramiko.ChannelException):
            transport.open_session()
        assert clients[0] is not None
        clients[0].close()
        eventually(lambda: listed(transport) == [CVR])
        transport.close()


class TestOtherDoors:
    def test_no_command_shell_terminal_or_other_subsystem(self, hall: Hall) -> None:
        transport = hall.connect()
        doors: tuple[Callable[[paramiko.Channel], object], ...] = (
            lambda c: c.exec_command("id"),
            lambda c: c.invoke_shell(),
            lambda c: c.get_pty(),
            lambda c: c.invoke_subsystem("netconf"),
            lambda c: c.invoke_subsystem("sftp\0"),
            lambda c: c.request_x11(handler=lambda *_: None),
            preload,
        )
        for ask in doors:
            channel = transport.open_session()
            with pytest.raises((paramiko.SSHException, EOFError)):
                ask(channel)
            channel.close()
            transport.close()
            transport = hall.connect()
        transport.close()

    def test_no_way_through_to_other_machines(self, hall: Hall) -> None:
        transport = hall.connect()
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", ("127.0.0.1", 22), ("127.0.0.1", 1))
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-streamlocal@openssh.com")
        with pytest.raises(paramiko.SSHException):
            transport.request_port_forward("127.0.0.1", 0)
        transport.close()


class TestLogin:
    def test_takes_no_password_and_not_nothing(self, hall: Hall) -> None:
        attempts: tuple[Callable[[paramiko.Transport], object], ...] = (
            lambda t: t.auth_password("root", "root"),
            lambda t: t.auth_none("root"),
        )
        for attempt in attempts:
            transport = paramiko.Transport(socket.create_connection(("127.0.0.1", hall.port)))
            transport.start_client()
            with pytest.raises(paramiko.AuthenticationException):
                attempt(transport)
            transport.close()
        eventually(lambda: "ssh_method_refused" in {fact.code for fact in hall.of(CallRefused)})

    def test_takes_no_key_that_nobody_bound(self, hall: Hall, tmp_path: Path) -> None:
        with pytest.raises(paramiko.AuthenticationException):
            hall.connect(new_key(tmp_path / "key"))

    def test_to_name_a_bound_key_is_not_to_have_it(self, hall: Hall, tmp_path: Path) -> None:
        mine, theirs = new_key(tmp_path / "key"), paramiko.Ed25519Key.from_private_key_file(str(hall.key_file))
        transport = paramiko.Transport(socket.create_connection(("127.0.0.1", hall.port)))
        with pytest.raises((paramiko.AuthenticationException, paramiko.SSHException)):
            transport.connect(username="x", pkey=Impostor(theirs, mine))
        transport.close()
        eventually(lambda: "ssh_key_not_proved" in {fact.code for fact in hall.of(CallRefused)})

    def test_hangs_up_on_who_tries_key_after_key(self, hall: Hall, tmp_path: Path) -> None:
        before = len(hall.of(CallRefused))
        transport = paramiko.Transport(socket.create_connection(("127.0.0.1", hall.port)))
        transport.start_client()
        for number in range(20):
            try:
                transport.auth_publickey("x", new_key(tmp_path / f"{number}"))
            except paramiko.AuthenticationException:
                continue
            except (paramiko.SSHException, EOFError):
                break
        eventually(lambda: not transport.is_active())
        eventually(lambda: len(hall.of(CallRefused)) - before == SftpSettings().attempts)
        transport.close()

    def test_garbage_for_a_greeting_does_no_harm(self, hall: Hall) -> None:
        for noise in (
            b"GET / HTTP/1.1\r\n\r\n",
            b"\0" * 10_000,
            b"SSH-1.5-old\r\n",
            b"SSH-2.0-x\r\n" + b"\xff" * 4_000,
        ):
            with socket.create_connection(("127.0.0.1", hall.port)) as plain:
                plain.sendall(noise)
        with hall.client() as client:
            assert client.listdir("/") == [CVR]

    def test_each_system_sees_its_own(self, hall: Hall, tmp_path: Path) -> None:
        key = new_key(tmp_path / "key")
        hall.keys[fingerprint(key)] = "system-2"
        with hall.client(key) as client:
            assert client.listdir("/") == [OTHER_CVR]
            assert client.open(f"/{OTHER_CVR}/{SERVICE}/{OTHERS}").readline() == "number,born\r\n"

    def test_a_system_without_agreements_sees_an_empty_house(self, hall: Hall, tmp_path: Path) -> None:
        key = new_key(tmp_path / "key")
        hall.keys[fingerprint(key)] = "system-3"
        with hall.client(key) as client:
            assert client.listdir("/") == []


def test_after_all_that_nothing_has_changed_and_nothing_unaccounted_left(hall: Hall) -> None:
    shelf = hall.shelf.folder(grant().agreement, SERVICE)
    manifest = hall.shelf.manifest(grant().agreement, SERVICE, NAME)
    assert manifest is not None
    assert hashlib.sha256((shelf / NAME).read_bytes()).hexdigest() == manifest.sha256
    eventually(lambda: len(hall.of(CallAnswered)) == len(hall.of(RowsDelivered)))
    assert {each.trace for each in hall.of(CallAnswered)} == {each.trace for each in hall.of(RowsDelivered)}


def test_an_agreement_that_was_narrowed_no_longer_shows_what_it_showed(hall: Hall) -> None:
    wide, narrow = (
        grant(agreement="agreement-9", cvr="99999999"),
        grant("number", agreement="agreement-9", cvr="99999999"),
    )
    hall.allow(wide, plan(wide), plan(wide, Format.NDJSON, columns="number"))
    with hall.client() as client:
        place = f"/99999999/{SERVICE}"
        assert len(client.listdir(place)) == 5
        hall.grants[-1] = narrow
        only = plan(narrow, Format.NDJSON).file_name
        assert sorted(client.listdir(place)) == ["SHA256SUMS", only, f"{only}.manifest.json"]
        with pytest.raises(FileNotFoundError):
            client.open(f"{place}/{plan(wide).file_name}")
    hall.grants.pop()


def listed(transport: paramiko.Transport) -> list[str] | None:
    """What a channel of its own shows; None when no channel is given."""
    try:
        client = paramiko.SFTPClient.from_transport(transport)
    except paramiko.ChannelException:
        return None
    assert client is not None
    return client.listdir("/")


def preload(channel: paramiko.Channel) -> None:
    channel.set_environment_variable("LD_PRELOAD", "/tmp/x.so")
    channel.exec_command("id")


class Impostor(paramiko.Ed25519Key):
    """Names one key, signs with another."""

    def __init__(self, named: paramiko.PKey, held: paramiko.Ed25519Key) -> None:
        self._named, self._held = named, held

    def asbytes(self) -> bytes:
        return self._named.asbytes()

    def get_name(self) -> str:
        return "ssh-ed25519"

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> Message:
        return self._held.sign_ssh_data(data, algorithm)


def asked(client: paramiko.SFTPClient, kind: int, *words: object, wide: tuple[int, ...] = ()) -> tuple[int, bytes]:
    """The answer to a request that paramiko's client would not send. `wide`: which of the numbers are 64 bits."""
    message = Message()
    message.add_int(4_711)
    for at, word in enumerate(words):
        if isinstance(word, int):
            (message.add_int64 if at in wide else message.add_int)(word)
        else:
            assert isinstance(word, str | bytes)
            message.add_string(word)
    client._send_packet(kind, message)  # type: ignore[attr-defined]
    answer: tuple[int, bytes] = client._read_packet()  # type: ignore[attr-defined]
    return answer


def raw(client: paramiko.SFTPClient, kind: int, *words: object, wide: tuple[int, ...] = ()) -> str:
    """The words of the status that a request gets."""
    answered, data = asked(client, kind, *words, wide=wide)
    assert answered == 101, answered
    message = Message(data)
    assert message.get_int() == 4_711
    message.get_int()
    return message.get_text()
