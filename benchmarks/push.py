"""How fast do we push to an SFTP server, beside OpenSSH's own client on the same machine?

One file to OpenSSH's sshd on a loopback port: by our sender as the worker runs it (host key pinned, written under
another name, checked, renamed, manifest, trigger), and by `sftp put` with the same cipher. They take turns. The time
includes connecting.
"""

import hashlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.result import result

CIPHER: Final = "aes128-gcm@openssh.com"
SEED: Final = 20261128
TARGETS: Final = {"push_ratio_openssh": ("at_least", 0.5)}

Tell = Callable[[str], None]


def measure(megabytes: int = 256, *, rounds: int = 3, progress: Tell = lambda _: None) -> dict[str, Any]:
    """The result object; its `rows` are the megabytes of the file."""
    from tests.delivery.receivers import openssh

    with tempfile.TemporaryDirectory(prefix="knudepunkt-bench-") as name:
        folder = Path(name)
        progress(f"Making a file of {megabytes:,} MB")
        file = folder / "file"
        file.write_bytes(np.random.default_rng(SEED).bytes(megabytes * 1_000_000))
        size = file.stat().st_size
        with openssh(folder) as sshd:
            speeds: dict[str, list[float]] = {"ours": [], "openssh": []}
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            ways: dict[str, Callable[[], None]] = {
                "ours": partial(_ours, sshd, file, digest), "openssh": partial(_theirs, sshd, folder, file),
            }  # fmt: skip
            for number in range(rounds + 1):
                for who, push in ways.items():
                    progress(f"round {number} of {rounds}: {who}")
                    began = time.perf_counter()
                    push()
                    # The first round warms up: pages, imports.
                    if number:
                        speeds[who].append(size / 1e6 / (time.perf_counter() - began))
                    for each in sshd.inbox.iterdir():
                        each.unlink()
    mine, other = (statistics.median(speeds[who]) for who in ("ours", "openssh"))
    figures = {"push_ratio_openssh": mine / other, "push_mb_per_s": mine, "openssh_put_mb_per_s": other}
    return result("push", megabytes, figures, TARGETS)


def _ours(sshd: Any, file: Path, digest: str) -> None:
    from extract.delivery.parcel import Handover, Parcel
    from extract.delivery.push_sftp import SftpSender
    from extract.delivery.targets import Reach
    from kernel import SnapshotId

    parcel = Parcel(
        delivery="01890000-0000-7000-8000-000000000001", name="file.csv", path=file, extract=digest,
        snapshot=SnapshotId(1), rows=1, size_bytes=file.stat().st_size, sha256=digest, media_type="text/csv",
        manifest=b"{}\n", cursor=None, published=datetime(2031, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    reach = Reach((ip_network("127.0.0.0/8"),))
    sender = SftpSender(target=sshd.target(), key=sshd.key, reach=reach, timeout_s=60)
    sender.send(parcel, Handover(lambda: None, lambda: None, placed=False))


def _theirs(sshd: Any, folder: Path, file: Path) -> None:
    options = (
        "StrictHostKeyChecking=no", f"UserKnownHostsFile={folder / 'known_hosts'}", "IdentitiesOnly=yes",
        "IdentityAgent=none", "LogLevel=ERROR", f"Ciphers={CIPHER}",
    )  # fmt: skip
    command = ["sftp", "-q", "-b", "-", "-F", "none", "-P", str(sshd.port), "-i", str(sshd.key_file)]
    command += [word for option in options for word in ("-o", option)] + [f"{sshd.target().user}@127.0.0.1"]
    said = (
        f"put {file} {sshd.inbox / 'file.csv.part'}\nrename {sshd.inbox / 'file.csv.part'} {sshd.inbox / 'file.csv'}\n"
    )
    subprocess.run(command, input=said, text=True, check=True, stdout=subprocess.DEVNULL, env={**os.environ})
