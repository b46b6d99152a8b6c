"""Keys and signing requests made on this machine: the private key is written for its owner's eyes and goes nowhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kernel import OperatorMistake
from runtime.files import write_whole

LONGEST_NAME = 64


class KeyExists(OperatorMistake):
    code = "key_exists"
    title = "There is a key here already"


@dataclass(frozen=True, slots=True)
class KeyFiles:
    """key, certificate    PEM, as `curl --key` and `--cert` take them; the key has mode 0600
    request             PKCS#10, PEM
    authority           PEM of the authorities that the server's certificate comes from
    """

    folder: Path

    @property
    def key(self) -> Path:
        return self.folder / "key.pem"

    @property
    def request(self) -> Path:
        return self.folder / "request.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    def as_dict(self) -> dict[str, str]:
        paths = (self.key, self.request, self.certificate, self.authority)
        return {path.stem: str(path) for path in paths if path.exists()}


def make_request(files: KeyFiles, name: str) -> None:
    """Write a new key and a signing request for it. Raises KeyExists."""
    _ensure_free(files)
    key, request = _made(name)
    _write(files, files.key, key, request)


def answered(files: KeyFiles, name: str, ask: Callable[[bytes], bytes], authority: bytes, *, renew: bool) -> None:
    """Make key and request, have the request answered, and write what came of it. Raises KeyExists, and what `ask`
    raises: then the files are as they were.

    ask     from a signing request to PEM of the certificate and its authority's
    renew   keep the pair that is there, as `key.old.pem` and `certificate.old.pem`, in place of an older one
    """
    if not renew:
        _ensure_free(files)
    key, request = _made(name)
    # Before anybody is asked: an answer whose key is lost would take one of two places.
    draft = files.key.with_suffix(".new.pem")
    _write(files, draft, key, request)
    try:
        chain = ask(request)
    except BaseException:
        draft.unlink()
        files.request.unlink()
        raise
    for path in (files.key, files.certificate):
        if path.exists():
            path.replace(path.with_suffix(".old.pem"))
    draft.replace(files.key)
    write_whole(files.authority, authority, 0o644)
    # Last: files with a certificate are whole.
    write_whole(files.certificate, chain, 0o644)


def _ensure_free(files: KeyFiles) -> None:
    if files.key.exists():
        raise KeyExists(
            f"{files.key} is there already",
            remedy="name another folder with --out; or, with --renew, keep the old pair beside the new one",
        )


def _made(name: str) -> tuple[bytes, bytes]:
    """PEM of a key, and of a signing request with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    short = name.encode()[:LONGEST_NAME].decode(errors="ignore")
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, short)])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private, request.public_bytes(Encoding.PEM)


def _write(files: KeyFiles, path: Path, key: bytes, request: bytes) -> None:
    files.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(path, key)
    write_whole(files.request, request, 0o644)
