"""SSH keys: the public one that a subscription names, and our own that deliveries are sent with."""

import base64
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType

from extract.delivery.faults import DeliveryKeyInvalid, TargetInvalid


def public_key(line: str) -> paramiko.PKey:
    """As `ssh-keyscan` shows it, without the name. Raises TargetInvalid."""
    try:
        kind, encoded = line.split()[:2]
        return paramiko.PKey.from_type_string(kind, base64.b64decode(encoded, validate=True))
    except (paramiko.SSHException, UnknownKeyType, ValueError, IndexError):
        raise TargetInvalid(
            "the host key of the target cannot be read",
            remedy="write its type and base64, as `ssh-keyscan` shows it",
            rule="target.host_key",
        ) from None


def private_key(path: Path) -> paramiko.PKey:
    """Raises DeliveryKeyInvalid."""
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, paramiko.SSHException, UnknownKeyType):
        raise DeliveryKeyInvalid(
            f"the key {path.name} that deliveries are sent with cannot be read",
            remedy=f"make one: ssh-keygen -t ed25519 -N '' -f {path.name}, in the folder secrets/ of the instance",
        ) from None
