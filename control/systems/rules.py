"""Which SSH keys may speak for a system. Pure."""

import base64
import hashlib
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from control.errors import SshKeyRefused

ACCEPTED_KEYS: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)
"""Kinds of public keys. An `ssh-rsa` key is fine: what is refused is signing with SHA-1, and the server does that."""
SHORTEST_RSA_BITS: Final = 2048


def read_ssh_key(line: str) -> str:
    """Kind and blob (`ssh-ed25519 AAAA...`) of a line in OpenSSH's format; the comment is left out.

    Raises SshKeyRefused for what is not one whole line, for other kinds, and for RSA keys under 2,048 bits.
    """
    kind, blob = (*line.strip().split(maxsplit=2), "", "")[:2]
    if kind not in ACCEPTED_KEYS:
        raise SshKeyRefused(
            "it is of no accepted kind", remedy=f"give a public key line beginning with {ACCEPTED_KEYS[0]}"
        )
    if len(line.strip().splitlines()) > 1:
        raise SshKeyRefused("it is more than one line", remedy="bind one key at a time")
    try:
        key = load_ssh_public_key(f"{kind} {blob}".encode())
    except (ValueError, UnsupportedAlgorithm):
        raise SshKeyRefused("it cannot be read", remedy="give the whole line of the .pub file") from None
    if isinstance(key, RSAPublicKey) and key.key_size < SHORTEST_RSA_BITS:
        raise SshKeyRefused(
            f"it is an RSA key of {key.key_size} bits; {SHORTEST_RSA_BITS:,} is the least",
            remedy="make a new one: ssh-keygen -t ed25519",
        )
    return f"{kind} {blob}"


def ssh_fingerprint(line: str) -> str:
    """SHA-256 of the key blob of a line in OpenSSH's format, lower-case hex. Raises SshKeyRefused."""
    return hashlib.sha256(base64.b64decode(read_ssh_key(line).partition(" ")[2], validate=True)).hexdigest()
