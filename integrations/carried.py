"""A live call once it is known who calls: what the road hands to an integration, and what the house lends it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from integrations.asked import Asked, Begin, Reply, Road
from integrations.breakers import Breakers
from integrations.editing import Write
from integrations.event_store import EventSubscriptions
from integrations.lookup import RecordReader
from integrations.sources import LiveSource
from kernel import Call, Caller, DatasetId, Grant, PlatformError, SnapshotId
from replica import AsOf, Found, Search, SnapshotInfo, View
from schemas import Dataset, Service

Changed = tuple[str, str]
"""What became of a record (insert, update, delete), and its key."""


class Visit(Protocol):
    """A call as the door that it came in by sees it: who it is, what carries it, and where it is put on record."""

    @property
    def service(self) -> Service: ...

    def identify(self) -> Caller: ...

    def admit(self, caller: Caller) -> tuple[Call, Grant]: ...

    def asks_about(self, keys: list[str]) -> None: ...

    def observe(self, grant: Grant, reply: Reply) -> None:
        """Raises when it cannot be put on record: then the answer does not leave."""
        ...

    def refused(self, error: PlatformError) -> PlatformError: ...

    def beside(self, service: Service, grant: Grant) -> "Visit":
        """A call of another service that this one needs, by the same caller on behalf of the same municipality."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the roads need of the house.

    monotonic   seconds, of a clock that never goes back
    services    by name
    sources     by the name that descriptors know them by
    find        keys of a dataset that meet a search, in a snapshot; may block
    write       puts one record of a dataset into the mirror; may block
    info        the dataset as it stands in the mirror
    changed     (dataset, view, since, until, skip, limit): operation and key of what changed, by key; may block
    events      subscriptions to change feeds; None where there are none
    """

    environment: Literal["test", "production"]
    monotonic: Callable[[], float]
    services: Mapping[str, Service]
    sources: Mapping[str, LiveSource]
    breakers: Breakers
    dataset: Callable[[DatasetId], Dataset]
    reader: Callable[[DatasetId], RecordReader]
    find: Callable[[Dataset, Search, SnapshotId], Found]
    write: Write
    info: Callable[[DatasetId], SnapshotInfo]
    changed: Callable[[Dataset, View, AsOf, AsOf, int, int], list[Changed]]
    events: EventSubscriptions | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A call that an agreement carries, on its way into an integration."""

    visit: Visit
    call: Call
    grant: Grant
    asked: Asked
    desk: Desk
    step: Callable[[Visit, Desk, Asked], Road]

    @property
    def service(self) -> Service:
        return self.visit.service

    def beside(self, name: str, service: Service, asked: Asked) -> Begin:
        """A call of another service that this one needs, under the caller's own agreement for that."""
        visit = self.visit.beside(service, self.grant)
        return Begin(name, visit, self.step(visit, self.desk, asked))
