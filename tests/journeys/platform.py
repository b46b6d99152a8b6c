"""A whole platform in a folder, run as an operator runs it, called as a consumer system calls it."""

import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from runtime.client import Profile, wait_until_answering
from runtime.demo import Stage, set_the_stage, write_ssh_config
from runtime.instance import Instance
from runtime.processes import Addresses, running_parent
from tests.waiting import eventually


@dataclass(frozen=True)
class Platform:
    stage: Stage
    process: subprocess.Popen[bytes]

    @property
    def instance(self) -> Instance:
        return self.stage.instance

    @property
    def addresses(self) -> Addresses:
        found = Addresses.of(self.instance)
        assert found is not None
        return found

    @property
    def url(self) -> str:
        return f"https://localhost:{self.addresses.api[1]}"

    @contextmanager
    def client(self, certificate: Path | None = None, key: Path | None = None) -> Iterator[httpx2.Client]:
        """A client with the demo's certificate, another, or (an empty path) none."""
        profile = self.stage.profile
        context = ssl.create_default_context(cafile=str(profile.authority))
        if certificate is None:
            context.load_cert_chain(profile.certificate, profile.key)
        elif key is not None:
            context.load_cert_chain(certificate, key)
        with httpx2.Client(base_url=self.url, verify=context, timeout=60) as client:
            yield client

    def sql(self, query: str) -> list[dict[str, Any]]:
        done = knudepunkt("sql", query, "--json", instance=self.instance.root)
        rows: list[dict[str, Any]] = json.loads(done.stdout)
        return rows

    def children(self) -> dict[str, int]:
        """Process id by role, of the parent's children."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                command = (entry / "cmdline").read_bytes().decode().split("\0")
            except (OSError, ValueError):
                continue
            if parent == self.process.pid and "runtime.cli" in command:
                found[command[command.index("runtime.cli") + 1]] = int(entry.name)
        return found


def knudepunkt(
    *arguments: str, instance: Path, check: bool = True, stdin: str | None = None, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Run the command line as its user does."""
    return subprocess.run(
        [sys.executable, "-m", "runtime.cli", *arguments],
        env={**os.environ, "KNUDEPUNKT_INSTANCE": str(instance), "COLUMNS": "200"},
        capture_output=True, text=True, check=check, input=stdin, timeout=timeout,
    )  # fmt: skip


@contextmanager
def running(stage: Stage) -> Iterator[Platform]:
    """The platform of a stage, up; stopped at the end."""
    with answering(stage.instance) as process:
        platform = Platform(stage, process)
        write_ssh_config(stage.profile, platform.addresses)
        yield platform


@contextmanager
def answering(instance: Instance) -> Iterator[subprocess.Popen[bytes]]:
    """The parent of an instance that is up; stopped at the end."""
    log = instance.logs / "test.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "runtime.cli", "up", "--instance", str(instance.root)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        assert wait_until_answering(instance, process, patience_s=300) == ()
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(120)
        eventually(lambda: running_parent(instance) is None)


def make_stage(root: Path, persons: int = 60) -> Stage:
    return set_the_stage(root, persons=persons, seed=7, api_port=0, sftp_port=0, tell=lambda _: None)


def another_profile(profile: Profile, folder: Path, cert_pem: bytes, key_pem: bytes) -> tuple[Path, Path]:
    """Files of a certificate that is not the profile's own."""
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(cert_pem)
    key.write_bytes(key_pem)
    return certificate, key
