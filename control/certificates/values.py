from dataclasses import dataclass
from datetime import datetime

from kernel import SystemId


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate bound to a system.

    fingerprint   SHA-256 of the DER form, lower-case hex
    serial        the issuer's serial number, decimal; with `issuer` (RFC 4514) it names the certificate too
    subject       RFC 4514
    """

    fingerprint: str
    system: SystemId
    issuer: str
    serial: str
    subject: str
    valid_from: datetime
    valid_to: datetime
    bound: datetime
    revoked: datetime | None

    def spent(self, at: datetime) -> bool:
        """Whether it will never again be accepted. One that is valid from tomorrow is not spent."""
        return self.revoked is not None or self.valid_to <= at
