import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import datetime

from control.errors import SystemInvalid
from kernel import OrganisationId, SystemId

ACCEPTED_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Kinds of public keys. An `ssh-rsa` key is fine: what is refused is signing with SHA-1, and the server does that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """contact   how to reach the people who run it"""

    id: SystemId
    organisation: OrganisationId
    name: str
    purpose: str
    contact: str
    created: datetime

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise SystemInvalid("the system has no name", remedy="give the name by which its users know it")


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey:
    fingerprint: str
    system: SystemId
    public_key: str
    bound: datetime
    revoked: datetime | None


def ssh_fingerprint(public_key: str) -> str:
    """SHA-256 of the key blob of a line in OpenSSH's format (`ssh-ed25519 AAAA... comment`), lower-case hex.

    Raises SystemInvalid for what is not such a line.
    """
    kind, _, rest = public_key.strip().partition(" ")
    blob = rest.strip().partition(" ")[0]
    if kind not in ACCEPTED_KEYS:
        raise SystemInvalid(
            "the SSH key is of no accepted kind", remedy=f"give a public key line beginning with {ACCEPTED_KEYS[0]}"
        )
    try:
        decoded = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    # The blob names its own kind first (RFC 4253, 6.6): a line whose two names differ was tampered with or cut.
    if decoded[4 : 4 + len(kind)] != kind.encode():
        raise SystemInvalid("the SSH key cannot be read", remedy="give the whole line of the .pub file")
    return hashlib.sha256(decoded).hexdigest()
