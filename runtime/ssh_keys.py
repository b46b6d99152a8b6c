"""SSH keys in OpenSSH's formats: the server's own, and those of the demo's consumer system."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat


def new_ssh_key(comment: str) -> tuple[bytes, bytes]:
    """(private, public): an unencrypted Ed25519 key and its line for authorized_keys or known_hosts."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return private, public + b" " + comment.encode() + b"\n"
