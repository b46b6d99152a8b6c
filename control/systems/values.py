from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from control.errors import SystemInvalid
from control.texts import LONGEST_NAME, ensure_name, ensure_text
from kernel import OrganisationId, SystemId

MOST_ENDPOINTS: Final = 20
_SCHEMES: Final = frozenset({"https", "sftp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """contact     how to reach the people who run it
    endpoints   where it can be reached itself: https and sftp addresses
    trial     when it passed its trial connection: its first successful call in the test environment
    retired     since when it is no longer used; its certificates and keys stopped then
    """

    id: SystemId
    organisation: OrganisationId
    name: str
    purpose: str
    contact: str
    created: datetime
    endpoints: tuple[str, ...] = ()
    retired: datetime | None = None
    trial: datetime | None = None

    def __post_init__(self) -> None:
        ensure_name(self.name, "the system's name", SystemInvalid)
        ensure_text(self.purpose, "the system's purpose", SystemInvalid)
        ensure_name(self.contact, "the system's contact", SystemInvalid)
        if len(self.endpoints) > MOST_ENDPOINTS or len(set(self.endpoints)) < len(self.endpoints):
            raise SystemInvalid(
                f"the system has more than {MOST_ENDPOINTS} endpoints, or one twice", remedy="name each once"
            )
        for endpoint in self.endpoints:
            _ensure_endpoint(endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class SshKey:
    """fingerprint   SHA-256 of the key blob, lower-case hex
    public_key    kind and blob as in OpenSSH's format, without comment
    """

    fingerprint: str
    system: SystemId
    public_key: str
    bound: datetime
    revoked: datetime | None


def _ensure_endpoint(endpoint: str) -> None:
    """Raises SystemInvalid for what is no plain https or sftp address; one with a password in it would be published."""
    ensure_name(endpoint, "an endpoint", SystemInvalid)
    if not _is_address(endpoint):
        raise SystemInvalid(
            "an endpoint is no address of the form https://host/path or sftp://host/path",
            remedy=f"give at most {LONGEST_NAME} characters, without user name, password or fragment",
        )


def _is_address(text: str) -> bool:
    if not text.isascii() or " " in text or "\\" in text:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in _SCHEMES
        and bool(parts.hostname)
        and port != 0
        and "@" not in parts.netloc
        and not parts.fragment
    )
