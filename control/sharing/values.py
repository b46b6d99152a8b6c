import hashlib
from dataclasses import dataclass
from datetime import datetime

from kernel import AgreementId, SystemId


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingToken:
    """hash          SHA-256 of the token, lower-case hex
    certificate   fingerprint of the one that the system showed to make it; None when a person or the house made it
    """

    id: str
    hash: str
    agreement: AgreementId
    system: SystemId
    made: datetime
    expires: datetime
    revoked: datetime | None = None
    certificate: str | None = None

    def live(self, at: datetime) -> bool:
        return self.made <= at < self.expires and (self.revoked is None or at < self.revoked)


def token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
