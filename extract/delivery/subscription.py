"""A subscription: who gets what, how often, and how. Values; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from extract.delivery.schedule import Schedule
from extract.delivery.targets import Target
from extract.form import Compression, Format
from kernel import AgreementId, ServiceName, SystemId

SubscriptionId = NewType("SubscriptionId", str)
DeliveryId = NewType("DeliveryId", str)


class Kind(StrEnum):
    """FULL     everything, each time
    CHANGES  what changed since the delivery before; everything the first time
    CIRCLE   as CHANGES, of the persons in the agreement's circle, in the register's own record layout
    """

    FULL = "full"
    CHANGES = "changes"
    CIRCLE = "circle"


class Standing(StrEnum):
    ACTIVE = "active"
    PAUSED = "paused"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What each delivery holds.

    columns   None for all that the agreement covers when it is made
    rows      column -> values: no other rows, on top of what the agreement lets through
    name      template of the file's name, None for the plan's own; see `file_name`
    """

    kind: Kind = Kind.FULL
    format: Format = Format.CSV
    compression: Compression = Compression.NONE
    columns: tuple[str, ...] | None = None
    rows: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asks to subscribe to.

    purpose            code of the agreement's purpose that its deliveries count for; None where it has one or none
    confirm_within_s   how long a delivery may wait to be fetched or confirmed before that is an alarm; None for never
    """

    agreement: AgreementId
    system: SystemId
    service: ServiceName
    contents: Contents
    schedule: Schedule
    target: Target
    confirm_within_s: int | None = 86_400
    purpose: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """reason       why it is paused or ended, in words
    deliveries   how many were planned so far
    reached      the newest snapshot that was planned for; None before the first
    cursor       where the consumer stands, by what has arrived; None when the next delivery must be a full one
    planned      when the last delivery was planned
    """

    id: SubscriptionId
    wish: Wish
    standing: Standing
    reason: str
    created: datetime
    deliveries: int
    reached: int | None
    cursor: str | None
    planned: datetime | None
