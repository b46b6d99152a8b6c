"""A transfer that was accepted: what it says of itself on the disk while it is on its way."""

import base64
import json
from dataclasses import asdict, dataclass
from typing import Self

from extract.exchange.xml import Described
from kernel import AgreementId, EventId, Grant, SystemId, TraceId, new_event_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The ledger's line of the sender's agreement. Its event is chosen beforehand, so that it is the same after a
    crash.
    """

    event: EventId
    system: SystemId
    agreement: AgreementId
    terms_hash: str
    municipality_cvr: str

    @classmethod
    def of(cls, grant: Grant) -> Self:
        return cls(
            event=new_event_id(),
            **grant.on_record,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """recipients   (system, SFTP user), each system once
    accounts     what goes into the ledger, an agreement each
    """

    transfer: str
    sender: str
    described: Described
    recipients: tuple[tuple[SystemId, str], ...]
    trace: TraceId
    accounts: tuple[Account, ...]

    def to_json(self) -> bytes:
        described = self.described
        data = {
            "transfer": self.transfer,
            "sender": self.sender,
            "file": described.file,
            "size_bytes": described.size_bytes,
            "users": list(described.recipients),
            "senders_file_id": described.senders_file_id,
            "content": [base64.b64encode(each).decode() for each in described.content],
            "recipients": [list(each) for each in self.recipients],
            "trace": self.trace,
            "accounts": [asdict(each) for each in self.accounts],
        }
        return json.dumps(data, indent=2).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        data = json.loads(text)
        return cls(
            transfer=data["transfer"],
            sender=data["sender"],
            described=Described(
                file=data["file"],
                size_bytes=data["size_bytes"],
                sender=data["sender"],
                recipients=tuple(data["users"]),
                senders_file_id=data["senders_file_id"],
                content=tuple(base64.b64decode(each) for each in data["content"]),
            ),
            recipients=tuple((SystemId(system), user) for system, user in data["recipients"]),
            trace=TraceId(data["trace"]),
            accounts=tuple(Account(**each) for each in data["accounts"]),
        )
