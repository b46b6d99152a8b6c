"""OpenSSH's own sftp as the client, as most consumers have it."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel import CallAnswered, CallRefused, RowsDelivered
from tests.extract.builders import CVR, FORMATS, SERVICE, grant, plan
from tests.extract.conftest import Source
from tests.extract.hall import Hall, fingerprint, new_key, open_hall
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(shutil.which("sftp") is None, reason="OpenSSH's sftp is not installed")

PLACE = f"/{CVR}/{SERVICE}"
NAME = plan(grant()).file_name


@pytest.fixture
def hall(tmp_path: Path, source: Source) -> Iterator[Hall]:
    with open_hall(tmp_path / "hall", source) as hall:
        hall.allow(grant(), plan(grant()))
        yield hall


def sftp(hall: Hall, commands: str, *options: str, key: Path | None = None) -> subprocess.CompletedProcess[str]:
    folder = hall.folder / "here"
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        [
            "sftp",
            *("-b", "-", "-P", str(hall.port), "-F", "none", "-i", str(key or hall.key_file)),
            *("-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={hall.folder / 'known_hosts'}"),
            *("-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "LogLevel=ERROR"),
            *options,
            "whoever@127.0.0.1",
        ],
        input=commands,
        text=True,
        capture_output=True,
        cwd=folder,
        timeout=60,
        check=False,
    )


def test_gets_a_file_whole_and_the_ledger_knows_before_and_after(hall: Hall) -> None:
    assert sftp(hall, f"get {PLACE}/{NAME}").returncode == 0
    got = (hall.folder / "here" / NAME).read_bytes()
    manifest = hall.store.open(plan(grant())).manifest
    assert hashlib.sha256(got).hexdigest() == manifest.sha256
    (answered,), (delivered,) = hall.of(CallAnswered), hall.of(RowsDelivered)
    assert hall.facts.index(answered) < hall.facts.index(delivered)
    assert answered.trace == delivered.trace
    assert (delivered.rows, delivered.size_bytes, delivered.whole) == (20_000, len(got), True)
    assert (delivered.extract, delivered.agreement) == (manifest.plan, grant().agreement)


def test_lists_folders_from_the_top(hall: Hall) -> None:
    assert sftp(hall, "ls").stdout.split("\n")[1].strip() == CVR
    assert SERVICE in sftp(hall, f"ls /{CVR}").stdout
    listing = sftp(hall, f"ls -l {PLACE}").stdout
    names = [line.split()[-1] for line in listing.splitlines()[1:]]
    assert names == ["SHA256SUMS", NAME, f"{NAME}.manifest.json"]
    assert all(line.startswith("-r--r--r--") for line in listing.splitlines()[1:])


def test_changes_folder_and_gets_all_by_pattern(hall: Hall) -> None:
    outcome = sftp(hall, f"cd {CVR}\ncd {SERVICE}\npwd\nmget *\ncd ..\npwd\ncd ../..\npwd")
    assert outcome.returncode == 0, outcome.stderr
    assert [line for line in outcome.stdout.splitlines() if line.startswith("Remote")] == [
        f"Remote working directory: {PLACE}",
        f"Remote working directory: /{CVR}",
        "Remote working directory: /",
    ]
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=hall.folder / "here", capture_output=True, text=True, check=False
    )
    assert checked.stdout == f"{NAME}: OK\n"


def test_gets_a_whole_tree(hall: Hall) -> None:
    assert sftp(hall, f"get -r /{CVR}").returncode == 0
    assert (hall.folder / "here" / CVR / SERVICE / NAME).stat().st_size > 1_000_000


def test_keeps_the_time_of_the_publication(hall: Hall) -> None:
    assert sftp(hall, f"get -p {PLACE}/{NAME}").returncode == 0
    assert (hall.folder / "here" / NAME).stat().st_mtime == plan(grant()).published.timestamp()


def test_resumes_where_it_was_cut_and_the_rows_are_counted_once(hall: Hall) -> None:
    whole = hall.store.open(plan(grant())).path.read_bytes()
    here = hall.folder / "here"
    here.mkdir()
    (here / NAME).write_bytes(whole[:700_001])
    assert sftp(hall, f"reget {PLACE}/{NAME}").returncode == 0
    assert (here / NAME).read_bytes() == whole
    (delivered,) = hall.of(RowsDelivered)
    manifest = hall.store.open(plan(grant())).manifest
    assert delivered.size_bytes == len(whole) - 700_001
    assert delivered.rows == manifest.rows_between(700_001, len(whole))
    assert delivered.whole


@pytest.mark.parametrize(
    "pieces", [("-B", "1000", "-R", "3"), ("-B", "261120", "-R", "128"), ("-B", "32768", "-R", "1")]
)
def test_asks_for_pieces_of_any_size_any_number_ahead(hall: Hall, pieces: tuple[str, ...]) -> None:
    assert sftp(hall, f"get {PLACE}/{NAME}", *pieces).returncode == 0
    assert (hall.folder / "here" / NAME).read_bytes() == hall.store.open(plan(grant())).path.read_bytes()


def test_takes_every_format(hall: Hall) -> None:
    plans = [plan(grant(), kind) for kind in FORMATS]
    hall.grants.clear()
    hall.allow(grant(), *plans)
    assert sftp(hall, f"mget {PLACE}/*").returncode == 0
    for each in plans:
        assert (hall.folder / "here" / each.file_name).read_bytes() == hall.store.open(each).path.read_bytes()


def test_negotiates_the_keys_of_a_long_transfer_anew(hall: Hall) -> None:
    outcome = sftp(hall, f"get {PLACE}/{NAME}", "-o", "RekeyLimit=256K")
    assert outcome.returncode == 0, outcome.stderr
    assert (hall.folder / "here" / NAME).read_bytes() == hall.store.open(plan(grant())).path.read_bytes()


@pytest.mark.parametrize("cipher", ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes256-ctr"])
def test_agrees_on_the_ciphers_that_are_offered(hall: Hall, cipher: str) -> None:
    assert sftp(hall, "ls", "-o", f"Ciphers={cipher}").returncode == 0


@pytest.mark.parametrize(
    "option",
    ["Ciphers=aes128-cbc", "MACs=hmac-sha1", "KexAlgorithms=diffie-hellman-group14-sha1", "HostKeyAlgorithms=ssh-rsa"],
)
def test_is_refused_with_algorithms_of_yesterday(hall: Hall, option: str) -> None:
    extra = ["-o", "Ciphers=aes256-ctr"] if option.startswith("MACs") else []
    assert sftp(hall, "ls", "-o", option, *extra).returncode != 0


@pytest.mark.parametrize(
    "command",
    [
        "put known {place}/new.csv",
        "put known {place}/{name}",
        "rm {place}/{name}",
        "rename {place}/{name} {place}/other.csv",
        "mkdir {place}/more",
        "rmdir {place}",
        "chmod 777 {place}/{name}",
        "symlink /etc/passwd {place}/link",
        "ln {place}/{name} {place}/hard",
    ],
)
def test_cannot_change_anything(hall: Hall, command: str) -> None:
    (hall.folder / "here").mkdir()
    (hall.folder / "here" / "known").write_text("something")
    before = {path: path.stat().st_size for path in (hall.folder / "agreements").rglob("*")}
    outcome = sftp(hall, command.format(place=PLACE, name=NAME))
    assert outcome.returncode != 0
    assert {path: path.stat().st_size for path in (hall.folder / "agreements").rglob("*")} == before


def test_a_key_that_nobody_bound_is_refused_and_in_the_ledger(hall: Hall) -> None:
    other = new_key(hall.folder / "other_key")
    outcome = sftp(hall, "ls", key=hall.folder / "other_key")
    assert outcome.returncode != 0
    assert "Permission denied (publickey)" in outcome.stderr
    eventually(lambda: hall.of(CallRefused))
    (refused,) = hall.of(CallRefused)
    assert (refused.code, refused.status, refused.peer) == ("ssh_key_unknown", 401, "127.0.0.1")
    assert refused.credential == fingerprint(other)


@pytest.mark.parametrize("words", [["ssh", "-T"], ["ssh", "-tt"]])
def test_gives_no_shell(hall: Hall, words: list[str]) -> None:
    outcome = subprocess.run(
        [
            *words,
            *("-p", str(hall.port), "-F", "none", "-i", str(hall.key_file), "-o", "StrictHostKeyChecking=no"),
            *("-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "-o", "LogLevel=ERROR"),
            "whoever@127.0.0.1",
            "id",
        ],
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert outcome.returncode != 0
    assert "uid=" not in outcome.stdout
