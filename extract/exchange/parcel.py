"""A parcel: what lands in a system's IN together, and under whose agreement it may be fetched."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Self

from extract.delivery.manifest import Manifest
from kernel import AgreementId, Grant, ServiceName

NOTE: Final = ".parcel.json"
"""In the parcel's folder, never shown; it stays when the files have been fetched, so that nothing lands twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParcelNote:
    """transfer            UUID, which the metadata file names too
    name               of the file
    sender             SFTP user who sent it
    landed             when it was made ready to land
    agreement, service   what lets the receiver fetch it; None for a receipt, which is the receiver's own
    municipality_cvr, terms_hash   of that agreement
    manifest           of an extract; None for a file of another system
    senders_file_id    what the sender calls it
    sent               of a receipt: whether the file went out
    """

    transfer: str
    name: str
    sender: str
    landed: datetime
    agreement: AgreementId | None = None
    service: ServiceName | None = None
    municipality_cvr: str = ""
    terms_hash: str = ""
    manifest: Manifest | None = None
    senders_file_id: str | None = None
    sent: bool = False

    def carried_by(self, grants: tuple[Grant, ...]) -> Grant | None:
        """The permission in force by which the receiver may fetch it; None when none is (any more)."""
        for grant in grants:
            if grant.agreement != self.agreement or grant.service != self.service:
                continue
            if self.manifest is None or self.manifest.covered_by(grant):
                return grant
        return None

    @property
    def is_receipt(self) -> bool:
        return self.agreement is None

    def to_json(self) -> bytes:
        data: dict[str, Any] = {name: value for name, value in asdict(self).items() if name != "manifest"}
        data["landed"] = self.landed.isoformat()
        data["manifest"] = None if self.manifest is None else json.loads(self.manifest.to_json())
        return (json.dumps(data, indent=2) + "\n").encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        data: dict[str, Any] = json.loads(text)
        data["landed"] = datetime.fromisoformat(data["landed"])
        if data["manifest"] is not None:
            data["manifest"] = Manifest.from_json(json.dumps(data["manifest"]).encode())
        return cls(**data)
