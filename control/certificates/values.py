from dataclasses import dataclass
from datetime import datetime

from kernel import SystemId, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate bound to a system.

    fingerprint   SHA-256 of the DER form, lower-case hex
    serial        the issuer's serial number, decimal; with `issuer` (RFC 4514) it names the certificate too
    """

    fingerprint: str
    system: SystemId
    issuer: str
    serial: str
    subject: str
    valid: Window
    bound: datetime
    revoked: datetime | None
