from dataclasses import dataclass
from datetime import datetime

from control.errors import SystemInvalid
from control.texts import ensure_name, ensure_text
from kernel import OrganisationId, SystemId


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
        ensure_name(self.name, "the system's name", SystemInvalid)
        ensure_text(self.purpose, "the system's purpose", SystemInvalid)
        ensure_name(self.contact, "the system's contact", SystemInvalid)


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
