"""How fast is our SFTP server beside OpenSSH's, with the same client, the same cipher, and the same machine?

One file on an agreement's shelf, fetched from the running role with every check and the ledger on; the same file from
OpenSSH's sshd with a configuration of its own on a loopback port. OpenSSH's sftp is the client of both, with the same
cipher and key exchange, and throws away what it gets. Ours and theirs take turns, with 1, 4 and 16 clients at once.
The time includes connecting, so that nobody's is left out.
"""

import hashlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import paramiko
import pyarrow as pa

from benchmarks.result import result

CLIENTS: Final = (1, 4, 16)
CIPHER: Final = "aes128-gcm@openssh.com"
KEY_EXCHANGE: Final = "curve25519-sha256@libssh.org"
SERVICE: Final = "municipalities-extract"
SEED: Final = 20261128
TARGETS: Final = {
    "sftp_ratio_openssh": ("at_least", 0.5),
    "sftp_ratio_openssh_4": ("at_least", 1.0),
    "sftp_ratio_openssh_16": ("at_least", 1.0),
}

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Peer:
    """A running server: where it is, who logs in with which key, and where the file is. pids: of all its processes."""

    port: int
    user: str
    key: Path
    path: str
    pids: Callable[[], list[int]]


def measure(
    megabytes: int = 256, *, rounds: int = 3, workers: int = 0, cipher: str = CIPHER, progress: Tell = lambda _: None
) -> dict[str, Any]:
    """The result object; its `rows` are the megabytes that each number of clients fetches together at least.

    workers   our processes on the port; 0 for two per core, so that connections spread
    """
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    if shutil.which("sftp") is None or not Path(sshd).exists():
        raise SystemExit("OpenSSH's sftp and sshd are needed: `apt-get install openssh-client openssh-server`")
    workers = workers or 2 * len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        file, ours = stack.enter_context(our_server(folder, megabytes, workers, progress))
        theirs = stack.enter_context(openssh(folder, sshd, file, ours.key))
        size = file.stat().st_size
        figures: dict[str, float] = {}
        for clients in CLIENTS:
            # Many clients fetch the file as often as one fetches it, and at least once each.
            times = max(1, 4 // clients) if clients > 1 else 1
            speeds: dict[str, list[float]] = {"ours": [], "openssh": []}
            spent: list[float] = []
            for number in range(rounds + 1):
                for who, peer in (("ours", ours), ("openssh", theirs)):
                    progress(f"{clients} clients, round {number} of {rounds}: {who}")
                    before = cpu_s(peer.pids())
                    speed = fetch(folder, peer, clients, times, cipher, size)
                    # The first round warms up: pages, imports, the clients' own files.
                    if number:
                        speeds[who].append(speed)
                        if who == "ours":
                            spent.append((cpu_s(peer.pids()) - before) / (clients * times * size / 1e9))
            at = "" if clients == 1 else f"_{clients}"
            mine, other = statistics.median(speeds["ours"]), statistics.median(speeds["openssh"])
            figures[f"sftp_ratio_openssh{at}"] = mine / other
            figures[f"mb_per_s{at}"], figures[f"openssh_mb_per_s{at}"] = mine, other
            figures[f"cpu_s_per_gb{at}"] = statistics.median(spent)
    return result("sftp", megabytes, figures | {"workers": float(workers)}, TARGETS)


def cpu_s(pids: list[int]) -> float:
    """CPU time of some processes, with that of threads that have ended, seconds."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def fetch(folder: Path, peer: Peer, clients: int, times: int, cipher: str, size: int) -> float:
    """Megabytes a second that `clients` get together, each fetching the file `times` times in one session."""
    options = (
        "StrictHostKeyChecking=no", f"UserKnownHostsFile={folder / 'known_hosts'}", "IdentitiesOnly=yes",
        "IdentityAgent=none", "LogLevel=ERROR", f"Ciphers={cipher}", f"KexAlgorithms={KEY_EXCHANGE}",
    )  # fmt: skip
    command = ["sftp", "-q", "-b", "-", "-F", "none", "-P", str(peer.port), "-i", str(peer.key)]
    command += [word for option in options for word in ("-o", option)] + [f"{peer.user}@127.0.0.1"]
    began = time.perf_counter()
    running = []
    for _ in range(clients):
        client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        assert client.stdin is not None
        client.stdin.write(f"get {peer.path} /dev/null\n" * times)
        client.stdin.close()
        running.append(client)
    failed = sum(client.wait() != 0 for client in running)
    elapsed = time.perf_counter() - began
    if failed:
        raise RuntimeError(f"{failed} of {clients} clients did not get the file from port {peer.port}")
    return clients * times * size / 1e6 / elapsed


@contextmanager
def our_server(folder: Path, megabytes: int, workers: int, progress: Tell) -> Iterator[tuple[Path, Peer]]:
    """The role as `knudepunkt up` runs it, on one listening socket, with a file on its demo system's shelf."""
    from runtime.demo import set_the_stage
    from runtime.processes import listen

    progress("Making an instance")
    stage = set_the_stage(folder / "instance", persons=100, seed=SEED, tell=progress)
    progress(f"Making a file of {megabytes:,} MB")
    place, file = put_on_shelf(stage, megabytes)
    with listen("127.0.0.1", 0) as listening:
        port, handle = int(listening.getsockname()[1]), listening.fileno()
        command = [sys.executable, "-P", "-m", "runtime.cli", "sftp", "--instance", str(stage.instance.root)]
        log = (folder / "ours.log").open("wb")
        given = os.environ | {"KNUDEPUNKT_SFTP__WORKERS": str(workers)}
        role = subprocess.Popen([*command, "--fd", str(handle)], pass_fds=[handle], stderr=log, env=given)
    try:
        for _ in range(8 * workers):
            # Once each: whoever answers last has started.
            _greeted(port)
        yield file, Peer(port, "anyone", stage.profile.ssh_key, place, lambda: family(role.pid))
    finally:
        role.terminate()
        role.wait(timeout=60)
        log.close()


def family(pid: int) -> list[int]:
    """A process and those that it began."""
    begun = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, begun)]


def put_on_shelf(stage: Any, megabytes: int) -> tuple[str, Path]:
    """Where it is over SFTP, and on the disk. Its rows are made up: what is measured is the way out."""
    from extract import ExtractPlan, ExtractRequest, ExtractStore, Format, Shelf, plan_extract
    from kernel import ServiceName, SystemClock
    from replica import Lookups
    from runtime.environment import settings_of
    from runtime.wiring import open_house

    with open_house(stage.instance, settings_of(stage.instance), "sftp") as house:
        service = house.registers.service(ServiceName(SERVICE))
        assert service.dataset is not None
        dataset = house.registers.dataset(service.dataset)
        now, policy = SystemClock().now(), house.watcher.current()
        caller = policy.identify_key(fingerprint_of_key(stage.profile.ssh_key), now)
        grant = next(each for each in policy.grants_of(caller.system, now) if each.service == service.name)
        info = Lookups(stage.instance.segments, [dataset.id]).reader(dataset.id).info
        plan = plan_extract(ExtractRequest(format=Format.ARROW), grant, dataset, info, now.date())
        noise = np.random.default_rng(SEED)

        def scan(wanted: ExtractPlan) -> pa.RecordBatchReader:
            schema = pa.schema([dataset.arrow.field(name) for name in wanted.columns])
            text = next(field.name for field in schema if pa.types.is_string(field.type) and field.name != dataset.key)
            step = pa.array([noise.bytes(500).hex() for _ in range(1_000)], schema.field(text).type)
            nulls = {field.name: pa.nulls(1_000, field.type) for field in schema}
            columns = [step if field.name == text else nulls[field.name] for field in schema]
            batch = pa.record_batch(columns, schema=pa.schema([field.with_nullable(True) for field in schema]))
            return pa.RecordBatchReader.from_batches(batch.schema, (batch for _ in range(megabytes)))

        with ExtractStore(stage.instance.extracts / "files", scan) as store:
            extract = store.open(plan)
            for _ in extract.chunks():
                pass
            shelf = Shelf(stage.instance.extracts / "agreements")
            shelf.put(grant.agreement, extract)
            return f"/{grant.municipality_cvr}/{grant.service}/{plan.file_name}", extract.path


def fingerprint_of_key(file: Path) -> str:
    return hashlib.sha256(paramiko.Ed25519Key.from_private_key_file(str(file)).asbytes()).hexdigest()


@contextmanager
def openssh(folder: Path, sshd: str, file: Path, key: Path) -> Iterator[Peer]:
    """OpenSSH's server as Debian ships it, with a configuration of its own, no PAM, and one key."""
    host_key, keys, config = folder / "sshd_host_key", folder / "authorized_keys", folder / "sshd_config"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key], check=True)
    public = subprocess.run(["ssh-keygen", "-y", "-f", key], check=True, capture_output=True, text=True).stdout
    keys.write_text(public)
    keys.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host_key}\nAuthorizedKeysFile {keys}\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPermitRootLogin yes\nMaxStartups 100\nSubsystem sftp internal-sftp\nUseDNS no\n"
    )
    if os.getuid() == 0:
        # Where it confines itself before it knows who is there; Debian makes it when the service starts.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with (folder / "sshd.log").open("wb") as log:
        process = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=log)
    try:
        _greeted(port)
        user = os.environ.get("USER") or _login_name()
        yield Peer(port, user, key, str(file), list)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _login_name() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _greeted(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
                if client.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"no SSH server answers on port {port}")
        time.sleep(0.1)
