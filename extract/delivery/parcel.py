"""A parcel: one finished file with what its receiver needs to know of it, and how it is handed to a sender."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from extract.delivery.manifest import Manifest
from kernel import SnapshotId


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """delivery    id of the delivery: the same for each attempt to send it
    round       how often it was asked for once more: what was delivered before is delivered again
    name        of the file at the receiver
    path        of the file here
    extract     id of the plan it was made by
    manifest    JSON, as it is sent beside the file; `described` is what it says of the file here.
                `signature` is detached, over the manifest; None where nothing is signed
    snapshot    that it reaches to
    cursor      where the receiver stands that has taken it
    why_full    why it holds everything although changes were asked for; empty when it is as asked
    on_shelf    puts it on the agreement's shelf
    published   when its snapshot was published; the file bears it as its time
    """

    delivery: str
    round: int = 0
    name: str
    path: Path
    extract: str
    snapshot: SnapshotId
    rows: int
    size_bytes: int
    sha256: str
    media_type: str
    manifest: bytes
    signature: bytes | None = None
    described: Manifest | None = None
    cursor: str | None
    why_full: str = ""
    published: datetime
    on_shelf: Callable[[], None] = lambda: None

    @property
    def transfer(self) -> str:
        """UUID of this very sending in the established exchange."""
        return transfer_of(self.delivery, self.round)


def transfer_of(delivery: str, round_: int) -> str:
    """One and the same at each attempt; another one when it was asked for once more."""
    return str(uuid.uuid5(uuid.UUID(delivery), f"round {round_}"))


@dataclass(frozen=True, slots=True)
class Handover:
    """What a sender says while it sends.

    alive    called often; raises when somebody else has taken the delivery over, or the platform stops
    place    called once, when the file is whole at the receiver and before what tells it so: returns when that is
             on record
    placed   whether an earlier attempt came that far
    """

    alive: Callable[[], None]
    place: Callable[[], None]
    placed: bool


class Sender(Protocol):
    @property
    def carries(self) -> bool:
        """Whether it brings the file itself; else the receiver fetches it, and that is put on record then."""
        ...

    def send(self, parcel: Parcel, handover: Handover) -> bool:
        """Bring a parcel to its receiver, going on from what is there already. Whether the receiver has confirmed it.

        Raises TargetUnreachable, TargetDenied, TargetUntrusted, TargetFaulty, TargetRefused.
        """
        ...
