"""The key under which the platform signs what it hands out: manifests, and documents of agreements.

ECDSA on P-256 with SHA-256: every OpenSSL since 1.0 checks it (`openssl dgst -sha256 -verify`).
"""

import contextlib
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from kernel import OperatorMistake, new_id
from runtime.files import write_whole


class SigningKeyInvalid(OperatorMistake):
    code = "signing_key_invalid"
    title = "The key for signatures cannot be used"


class Signer:
    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        self._key = key

    @classmethod
    def open(cls, path: Path) -> Self:
        """The key in `path`, made when there is none, by whichever process comes first. Raises SigningKeyInvalid."""
        if not path.exists():
            pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            draft = path.with_name(f"{path.name}.{new_id()}")
            write_whole(draft, pem, 0o600)
            # A hard link, unlike a rename, never replaces a key that another process made in the meantime.
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
            draft.unlink()
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, EllipticCurvePrivateKey):
            raise SigningKeyInvalid(
                f"{path.name} holds no elliptic-curve key without a password",
                remedy="put the instance's own key back; consumers know its public half",
            )
        return cls(key)

    def sign(self, document: bytes) -> bytes:
        """A detached signature, DER."""
        return self._key.sign(document, ECDSA(SHA256()))

    @property
    def private(self) -> EllipticCurvePrivateKey:
        return self._key

    @property
    def public_pem(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
