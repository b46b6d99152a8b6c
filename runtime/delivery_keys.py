"""How the platform shows itself to receivers, and the keys that deliveries and circles need. Each is made once."""

import os
import secrets
import ssl
from contextlib import suppress
from pathlib import Path

from kernel import OperatorMistake
from runtime.files import write_whole
from runtime.instance import Instance
from runtime.ssh_keys import new_ssh_key


class PlatformCertificateInvalid(OperatorMistake):
    code = "platform_certificate_invalid"
    title = "The certificate that deliveries are sent with cannot be used"


def platform_tls(instance: Instance) -> ssl.SSLContext:
    """As the platform shows itself to others: its client certificate, where it has one. Public authorities are trusted,
    and those of the instance's `peers/`. Raises PlatformCertificateInvalid.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        for each in sorted((instance.root / "peers").glob("*.pem")):
            context.load_verify_locations(each)
        certificate, key = instance.secrets / "platform.pem", instance.secrets / "platform.key"
        if certificate.exists():
            context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError):
        raise PlatformCertificateInvalid(
            "secrets/platform.pem, its key or a certificate in peers/ cannot be read",
            remedy="put a PEM certificate with its chain there, and its key beside it",
        ) from None
    return context


def delivery_key(instance: Instance) -> bytes:
    """The key that endpoints' secrets are made from; made once. Another one means that every receiver needs a new
    secret.
    """
    return _kept_secret(instance.secrets / "delivery.key")


def circle_key(instance: Instance) -> bytes:
    """The key that circles are kept under; made once. Without it they cannot be read."""
    return _kept_secret(instance.secrets / "circle.key")


def delivery_ssh_key(instance: Instance) -> Path:
    """Our key towards SFTP servers, made once; its public half lies beside it."""
    path = instance.secrets / "delivery_ed25519_key"
    if not path.exists():
        private, public = new_ssh_key("knudepunkt deliveries")
        if _put_once(path, private):
            write_whole(path.with_suffix(".pub"), public, 0o644)
    return path


def _kept_secret(path: Path) -> bytes:
    if not path.exists():
        _put_once(path, secrets.token_bytes(32))
    return path.read_bytes()


def _put_once(path: Path, content: bytes) -> bool:
    """Whether it was us who made the file: a hard link, unlike a rename, never replaces what another process made."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    write_whole(draft, content)
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return False
    else:
        return True
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
