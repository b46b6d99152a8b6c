"""An instance: the folder that holds everything one installation knows. Every path in it is named here."""

import contextlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from kernel import OperatorMistake
from runtime.files import write_whole

SETTINGS_FILE = "knudepunkt.toml"


class InstanceMissing(OperatorMistake):
    code = "instance_missing"
    title = "There is no instance here"


class InstanceExists(OperatorMistake):
    code = "instance_exists"
    title = "There is an instance here already"


@dataclass(frozen=True, slots=True)
class Instance:
    """Paths of one instance. `root` is absolute. Folders with secrets or personal data have mode 0700."""

    root: Path

    @classmethod
    def find(cls, root: Path) -> "Instance":
        """The instance in `root`. Raises InstanceMissing."""
        if not (root / SETTINGS_FILE).is_file():
            raise InstanceMissing(
                f"{root} holds no {SETTINGS_FILE}",
                remedy=f"make one with `knudepunkt init --instance {root}`, or name another folder",
            )
        return cls(root.resolve())

    @property
    def settings_file(self) -> Path:
        return self.root / SETTINGS_FILE

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def segments(self) -> Path:
        return self.root / "segments"

    @property
    def control(self) -> Path:
        return self.root / "control"

    @property
    def control_url(self) -> str:
        return f"sqlite:///{self.control / 'control.sqlite'}"

    @property
    def environment(self) -> Path:
        """The environment that the instance was founded for, in one word."""
        return self.control / "environment"

    @property
    def rates(self) -> Path:
        """Counters of calls, shared by the processes of this node."""
        return self.control / "rates.bin"

    @property
    def registers(self) -> Path:
        """The operator's own registers; those that are shipped lie in the package."""
        return self.root / "registers"

    @property
    def inbox(self) -> Path:
        """Where folder sources look for deliveries, a folder per source."""
        return self.root / "inbox"

    @property
    def work(self) -> Path:
        """Where runs of sources keep what does not fit in memory, while they last."""
        return self.root / "work"

    @property
    def ledger(self) -> Path:
        return self.root / "ledger"

    @property
    def usage(self) -> Path:
        return self.root / "usage"

    @property
    def extracts(self) -> Path:
        return self.root / "extracts"

    @property
    def exchange(self) -> Path:
        """IN and OUT of every system that exchanges files over SFTP."""
        return self.root / "exchange"

    @property
    def authority(self) -> Path:
        """The test certificate authority, keys included."""
        return self.root / "authority"

    @property
    def trust(self) -> Path:
        """PEM files of the authorities whose client certificates are trusted."""
        return self.root / "trust"

    @property
    def crl(self) -> Path:
        """Lists of certificates that those authorities took back, PEM or DER."""
        return self.root / "crl"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def clients(self) -> Path:
        """Profiles of consumer systems that were given a certificate here (test environment)."""
        return self.root / "clients"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def pid_file(self) -> Path:
        return self.run / "up.pid"

    @property
    def beats(self) -> Path:
        """When each of the worker's jobs last ended."""
        return self.run / "jobs"

    def server_files(self) -> tuple[Path, Path]:
        """Certificate chain and key that the HTTPS server shows."""
        return self.secrets / "server.pem", self.secrets / "server.key"

    @property
    def host_key(self) -> Path:
        """The SFTP server's own key, in OpenSSH's format."""
        return self.secrets / "ssh_host_ed25519_key"

    @property
    def signing_key(self) -> Path:
        """Under which manifests and the documents of agreements are signed."""
        return self.secrets / "signing.key"

    @property
    def token_key(self) -> Path:
        """Under which access tokens are signed."""
        return self.secrets / "token.key"

    def make_folders(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        private = (
            self.lake, self.segments, self.control, self.inbox, self.ledger, self.usage, self.extracts,
            self.exchange, self.authority, self.secrets, self.clients, self.run, self.logs, self.work,
        )  # fmt: skip
        for folder in private:
            folder.mkdir(mode=0o700, exist_ok=True)
        for folder in (self.registers, self.trust, self.crl):
            folder.mkdir(exist_ok=True)

    def subject_key(self) -> bytes:
        """The key under which personal identifiers are hashed in the ledger; made once, 32 bytes.

        Losing it means that 'who looked me up' can no longer be answered for the past.
        """
        path = self.secrets / "subject.key"
        if not path.exists():
            draft = self.secrets / f"subject.key.{os.getpid()}"
            write_whole(draft, secrets.token_bytes(32))
            # A hard link, unlike a rename, never replaces a key that another process made in the meantime.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
            draft.unlink()
        return path.read_bytes()
