"""What the api needs from the other rooms. Filled once, by the wiring; nothing here is looked up anywhere else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

import pyarrow as pa

from api.proxy import NO_PROXIES, Proxies
from api.sharing import SharingDesk
from api.tokens import TokenDesk
from control import ControlStore, Counters, Policy, TestAuthority, Trust
from control.documents import Documents
from extract import Circles, Corrections, DeliveryDesk, ExtractPlan, ExtractStore, Jobs, Shelf
from integrations import EventSubscriptions, LiveSource, RecordReader, Write, WritingNotOffered, Written
from kernel import Clock, Observe, SnapshotId, TraceId
from replica import AsOf, Found, Lookups, Search, SnapshotInfo, View
from schemas import Dataset, Registers

Moment = datetime | SnapshotId
"""When a dataset is to be looked at: a time, or a snapshot that an answer named."""


class PastReader(RecordReader, Protocol):
    @property
    def info(self) -> SnapshotInfo: ...


Past = Callable[[Dataset, Moment], PastReader]
"""Raises HistoryExpired for what is not kept any more, and for what never was."""


FirstFrom = Callable[[Dataset, Moment], tuple[SnapshotId | None, bool]]
"""The first publication at or after a moment (None: there is none), and whether there was one before."""
Changes = Callable[[Dataset, View, AsOf, AsOf, int, int], list[tuple[str, str]]]
"""(dataset, view, since, until, skip, limit): operation and key, by key. Raises HistoryExpired."""
Find = Callable[[Dataset, Search, SnapshotId], Found]
"""Raises SearchInvalid, CursorInvalid, SearchTooSlow, HistoryExpired."""


def _nothing_is_written(dataset: Dataset, key: str, decide: object) -> Written:
    del key, decide
    raise WritingNotOffered(f"this process does not write {dataset.id}", remedy="ask the operator")


def _nothing_is_told(
    dataset: Dataset, view: View, since: AsOf, until: AsOf, skip: int, limit: int
) -> list[tuple[str, str]]:
    del dataset, view, since, until, skip, limit
    return []


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """policy      the policy in force now; called for every request
    trust       the authorities and revocation lists in force now; called for every request
    counters    of calls, against the limits of agreements
    past        a reader of a dataset as it was at a moment or in a snapshot; may block
    first_from  the first publication of a dataset from a moment on; may block
    find        a page of keys that meet a search, of a snapshot; may block
    lookups     readers of this process, by dataset
    corrections   snapshots of a span that went back to an earlier state; may block
    estimate    how many rows an extract will have, None when that cannot be told; may block
    rows        of a full extract's plan between two keys (None: all); may block
    jobs        extracts that are asked for now and fetched later
    stall_s     a download whose reader takes nothing for this long is ended, seconds
    signing_key  the public half of the key that manifests are signed with, PEM
    extracts    files by content; `shelf` is where an agreement finds its own
    observe     keeps a fact, or raises: then the answer does not leave
    readiness   name of a check -> whether it holds; may block
    status      every mirrored dataset as operators see it; may block
    metrics     the page for Prometheus, as OpenMetrics or not: media type and text; may block
    decisions   ledger lines of a trace, newest first; may block
    control     the control database, for administration; None: there is none here
    documents   agreements as signed documents, for whoever the store acts for; None: none are made here
    authority   the test authority, which answers signing requests; None in production
    delivery    subscriptions and deliveries; `circles` whom subscribers follow. None: there are none here
    proxies     whose word on their clients is taken
    sources     that are asked while a caller waits, by the name that descriptors know them by
    sharing     the open bulk face; None: it is off
    tokens      the token road; None: it is off
    write       puts one record of a dataset whose master is the platform into the mirror; may block
    changed     what changed in a dataset between two moments, for a view; may block
    events      subscriptions to change feeds; None: there are none here
    version     of the platform, as it stands in the OpenAPI document
    """

    registers: Registers
    policy: Callable[[], Policy]
    trust: Callable[[], Trust]
    counters: Counters
    lookups: Lookups
    past: Past
    first_from: FirstFrom
    find: Find
    corrections: Corrections
    estimate: Callable[[ExtractPlan], int | None]
    rows: Callable[[ExtractPlan, tuple[str | None, str | None] | None], pa.RecordBatchReader]
    jobs: Jobs
    extracts: ExtractStore
    shelf: Shelf
    observe: Observe
    clock: Clock
    environment: Literal["test", "production"]
    readiness: Callable[[], Mapping[str, bool]] = dict
    status: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    metrics: Callable[[bool], tuple[str, bytes]] = lambda _: ("text/plain; charset=utf-8", b"")
    decisions: Callable[[TraceId], Sequence[Mapping[str, Any]]] = lambda _: ()
    control: ControlStore | None = None
    authority: Callable[[], TestAuthority] | None = None
    documents: Callable[[ControlStore], Documents] | None = None
    proxies: Proxies = NO_PROXIES
    delivery: DeliveryDesk | None = None
    circles: Circles | None = None
    sources: Mapping[str, LiveSource] = field(default_factory=dict)
    sharing: SharingDesk | None = None
    tokens: TokenDesk | None = None
    write: Write = _nothing_is_written
    stall_s: float = 60.0
    signing_key: bytes = b""
    changed: Changes = _nothing_is_told
    events: EventSubscriptions | None = None
    version: str = "0.1.0"
