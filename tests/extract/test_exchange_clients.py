"""The exchange with the clients that are out there: OpenSSH's sftp and lftp; and a server process that is killed."""

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import paramiko
import pytest

from tests.extract.builders import CVR, SERVICE, grant, plan
from tests.extract.conftest import Source
from tests.extract.exchanging import FILE, RECEIVER, SENDER, TEXT, key_of, open_exchange, receipt, trigger, write
from tests.extract.hall import Hall
from tests.extract.test_sftp_openssh import sftp
from tests.waiting import eventually

TREE = Path(__file__).parents[2]
needs_lftp = pytest.mark.skipif(shutil.which("lftp") is None, reason="lftp is not installed")


@pytest.fixture
def hall(tmp_path: Path, source: Source) -> Iterator[Hall]:
    with open_exchange(tmp_path / "hall", source) as hall:
        hall.allow(grant(), plan(grant()))
        here = hall.folder / "here"
        here.mkdir()
        (here / FILE).write_bytes(TEXT)
        (here / "trigger").write_bytes(trigger())
        yield hall


def in_of(hall: Hall, system: str) -> dict[str, bytes]:
    with hall.client(key_of(hall, system)) as client:
        return {name: client.open(f"IN/{name}").read() for name in client.listdir("IN")}


class TestOpenSsh:
    def test_sends_and_fetches_as_scripts_do(self, hall: Hall) -> None:
        sent = sftp(hall, f"cd OUT\nput -p {FILE}\nls -l\nput trigger {FILE}.trigger\nls ../IN")
        assert sent.returncode == 0, sent.stderr
        assert f"{FILE}.sftpreceipt" in sent.stdout
        got = sftp(hall, f"cd /IN/\nls -l\nget {FILE} got\nrm {FILE}*\nls", key=hall.folder / f"key-{RECEIVER}")
        assert got.returncode == 0, got.stderr
        assert (hall.folder / "here" / "got").read_bytes() == TEXT
        assert in_of(hall, RECEIVER) == {}

    def test_goes_on_with_an_upload_and_with_a_download(self, hall: Hall) -> None:
        here = hall.folder / "here"
        (here / "half").write_bytes(TEXT[:150_001])
        assert sftp(hall, f"put half OUT/{FILE}").returncode == 0
        assert sftp(hall, f"reput {FILE} OUT/{FILE}\nput trigger OUT/{FILE}.trigger").returncode == 0
        (here / FILE).write_bytes(TEXT[:99_999])
        outcome = sftp(hall, f"reget IN/{FILE} {FILE}", key=hall.folder / f"key-{RECEIVER}")
        assert outcome.returncode == 0, outcome.stderr
        assert (here / FILE).read_bytes() == TEXT

    def test_renames_within_out_and_nowhere_else(self, hall: Hall) -> None:
        assert sftp(hall, f"put {FILE} OUT/a.part\nrename OUT/a.part OUT/a").returncode == 0
        for other in ("IN/a", "a", f"/{CVR}/a", "OUT/b/c", "OUT/../a", "OUT/..", "OUT/.a"):
            assert sftp(hall, f"rename OUT/a {other}").returncode != 0, other
        assert "OUT/a" in sftp(hall, "ls OUT").stdout

    def test_reads_agreements_beside_the_exchange_and_changes_nothing_there(self, hall: Hall) -> None:
        name = plan(grant()).file_name
        listed = sftp(hall, "ls -1")
        assert listed.stdout.split("\n")[1:4] == [CVR, "IN", "OUT"]
        assert sftp(hall, f"get /{CVR}/{SERVICE}/{name}").returncode == 0
        for command in (
            f"put trigger /{CVR}/{SERVICE}/x",
            f"rm /{CVR}/{SERVICE}/{name}",
            f"put {FILE} IN/x",
            "mkdir OUT/x",
        ):
            assert sftp(hall, command).returncode != 0, command


@needs_lftp
class TestLftp:
    def test_sends_fetches_and_mirrors(self, hall: Hall, tmp_path: Path) -> None:
        here = hall.folder / "here"
        sent = lftp(hall, SENDER, f"put {FILE} -o OUT/{FILE}; put trigger -o OUT/{FILE}.trigger; cls -1 IN")
        assert f"IN/{FILE}.sftpreceipt" in sent
        lftp(hall, RECEIVER, "mirror IN copied")
        assert sorted(each.name for each in (here / "copied").iterdir()) == [
            FILE,
            f"{FILE}.metadata",
            f"{FILE}.trigger",
        ]
        assert (here / "copied" / FILE).read_bytes() == TEXT
        lftp(hall, SENDER, f"mirror /{CVR} tree")
        assert (here / "tree" / SERVICE / plan(grant()).file_name).stat().st_size > 1_000_000

    def test_goes_on_with_a_download(self, hall: Hall) -> None:
        name = plan(grant()).file_name
        whole = hall.store.open(plan(grant())).path.read_bytes()
        (hall.folder / "here" / name).write_bytes(whole[:300_000])
        lftp(hall, SENDER, f"get -c /{CVR}/{SERVICE}/{name}")
        assert (hall.folder / "here" / name).read_bytes() == whole

    def test_uploads_a_folder_flat(self, hall: Hall) -> None:
        folder = hall.folder / "here" / "many"
        folder.mkdir()
        for number in range(3):
            (folder / f"{number}.csv").write_bytes(TEXT)
        lftp(hall, SENDER, "mirror -R many OUT; mv OUT/0.csv OUT/3.csv; rm OUT/1.csv")
        with hall.client(key_of(hall, SENDER)) as client:
            assert sorted(client.listdir("OUT")) == ["2.csv", "3.csv"]


def lftp(hall: Hall, system: str, commands: str) -> str:
    key = hall.key_file if system == SENDER else hall.folder / f"key-{system}"
    ssh = (
        f"ssh -a -x -i {key} -F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
        "-o IdentitiesOnly=yes -o IdentityAgent=none -o LogLevel=ERROR"
    )
    script = (
        f'set sftp:connect-program "{ssh}"; set net:max-retries 1; set net:timeout 20; set cmd:fail-exit yes; '
        f"open -u any,none -p {hall.port} sftp://127.0.0.1; {commands}; bye"
    )
    outcome = subprocess.run(
        ["lftp", "--norc", "-c", script], cwd=hall.folder / "here", capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_server_that_is_killed_in_upload_and_at_the_trigger_delivers_once(tmp_path: Path) -> None:
    """The sender does what a careful one does: it looks what is there, goes on, and looks for its receipt."""
    sent: list[str] = []
    with Served(tmp_path) as served:
        for round_, pause_s in enumerate((0.0, 0.004, 0.015)):
            name = f"file-{round_}.csv"
            client = served.client(SENDER)
            file = client.open(f"OUT/{name}", "wb")
            file.write(TEXT[:200_000])
            file.flush()
            served.kill()
            client = served.client(SENDER)
            with client.open(f"OUT/{name}", "r+b") as rest:
                begun = rest.stat().st_size or 0
                assert 0 <= begun <= 200_000
                rest.seek(begun)
                rest.write(TEXT[begun:])
            words = client.open(f"OUT/{name}.trigger", "wb")
            words.set_pipelined(True)
            words.write(trigger(file=name))
            client._async_request(words, 4, words.handle)  # type: ignore[attr-defined]
            time.sleep(pause_s)
            served.kill()
            client = served.client(SENDER)
            if f"{name}.sftpreceipt" not in client.listdir("IN"):
                write(client, f"OUT/{name}.trigger", trigger(file=name))
            eventually(partial(has_receipt, client, name))
            assert receipt(client, name).get("Message") == "SUCCESS", receipt(client, name)
            sent.append(name)
        landed = served.client(RECEIVER)
        assert sorted(name for name in landed.listdir("IN") if name.endswith(".csv")) == sent
        assert all(landed.open(f"IN/{name}").read() == TEXT for name in sent)


def has_receipt(client: paramiko.SFTPClient, name: str) -> bool:
    return f"{name}.sftpreceipt" in client.listdir("IN")


class Served:
    """The server in a process of its own, that can be killed and is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._port = 0
        self._transports: list[paramiko.Transport] = []

    def __enter__(self) -> "Served":
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.extract.exchange_server", str(self._folder)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=TREE,
        )  # fmt: skip
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def _stop(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        for each in self._transports:
            each.close()
        self._transports.clear()

    def kill(self) -> None:
        self._stop()
        self._start()

    def client(self, system: str) -> paramiko.SFTPClient:
        key = self._folder / ("client_key" if system == SENDER else f"key-{system}")
        transport = paramiko.Transport(socket.create_connection(("127.0.0.1", self._port)))
        transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = 60
        self._transports.append(transport)
        transport.connect(username="x", pkey=paramiko.Ed25519Key.from_private_key_file(str(key)))
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        return client
