"""A folder of an SFTP server."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from cryptography.exceptions import UnsupportedAlgorithm
from pydantic import AfterValidator, BaseModel, Field, model_validator

from sync.connectors.secret import Secret, SecretName
from sync.errors import SourceInvalid
from sync.sources.port import Connector
from sync.sources.remote import RemoteFolder, Selection

if TYPE_CHECKING:
    # Late elsewhere too: the library takes a tenth of a second to load, and most processes never speak SFTP.
    import paramiko


@dataclass(frozen=True, slots=True, kw_only=True)
class SftpSpec:
    """password or key   which of the two we log in with
    host_key   as in OpenSSH's known_hosts, without the name: type and base64
    """

    host: str
    port: int
    user: str
    host_key: str
    path: str
    password: Secret | None
    key: Secret | None
    timeout_s: float
    selection: Selection

    def connect(self, work: Path) -> Connector:
        from sync.sources.sftp import SftpFolder, SftpServer

        server = SftpServer(
            host=self.host,
            port=self.port,
            user=self.user,
            host_key=_public_key(self.host_key),
            path=self.path,
            password=self.password.text() if self.password else None,
            key=_private_key(self.key) if self.key else None,
            timeout_s=self.timeout_s,
        )
        return RemoteFolder(lambda: SftpFolder(server), self.selection, work)


def _public_key(line: str) -> "paramiko.PKey":
    """Raises ValueError."""
    import paramiko
    from paramiko.pkey import UnknownKeyType

    try:
        kind, encoded = line.split()[:2]
        return paramiko.PKey.from_type_string(kind, base64.b64decode(encoded, validate=True))
    except (paramiko.SSHException, UnknownKeyType, ValueError, IndexError):
        raise ValueError("not a public key: write its type and base64, as `ssh-keyscan` shows it") from None


def _known(line: str) -> str:
    _public_key(line)
    return line


HostKey = Annotated[str, AfterValidator(_known)]


class SftpBody(BaseModel, extra="forbid"):
    kind: Literal["sftp"]
    host: str = Field(min_length=1)
    port: int = Field(default=22, ge=1, le=65535)
    user: str = Field(min_length=1)
    host_key: HostKey
    password: SecretName | None = None
    key: SecretName | None = None
    path: str = "."
    pattern: str = "*"
    trigger: bool = False
    timeout_s: float = Field(default=30.0, gt=0)
    deadline_s: float = Field(default=3600.0, gt=0)
    max_bytes: int = Field(default=100_000_000_000, ge=1)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.password is None) == (self.key is None):
            raise ValueError("name either password or key: a file below the instance's secrets/")
        return self

    def to_spec(self, root: Path) -> SftpSpec:
        return SftpSpec(
            host=self.host,
            port=self.port,
            user=self.user,
            host_key=self.host_key,
            path=self.path,
            password=Secret.named(root, self.password) if self.password else None,
            key=Secret.named(root, self.key) if self.key else None,
            timeout_s=self.timeout_s,
            selection=Selection(
                pattern=self.pattern, trigger=self.trigger, max_bytes=self.max_bytes, deadline_s=self.deadline_s
            ),
        )


def _private_key(secret: Secret) -> "paramiko.PKey":
    import paramiko
    from paramiko.pkey import UnknownKeyType

    secret.content()
    try:
        return paramiko.PKey.from_path(secret.path)
    except (paramiko.SSHException, UnsupportedAlgorithm, UnknownKeyType, ValueError, TypeError):
        raise SourceInvalid(
            f"the secret {secret.path.name} is not a private key", remedy="make one with `ssh-keygen -t ed25519 -N ''`"
        ) from None
