"""Replica: the mirror of the registers, and lookups in it.

Deliveries come in through Lake.publish and become snapshots that never change afterwards. Lookups search
memory-mapped segments that are made from the newest snapshot; extracts scan the lake.
"""

from replica.delivery import QUARANTINE, Counts, Delivery, Mode, Publication, RunRecord, RunSummary, SnapshotInfo
from replica.deltas import OPERATION, AsOf, View
from replica.errors import (
    CatalogueShared,
    CursorInvalid,
    DatasetNotReady,
    HistoryExpired,
    KeysRepeated,
    LakeBusy,
    LakeInconsistent,
    RollbackImpossible,
    SearchInvalid,
    SearchTooSlow,
)
from replica.evolution import AppliedContract
from replica.history import PastReader, read_past
from replica.lake import Lake
from replica.lookup import LookupReader, Lookups
from replica.maintenance import Upkeep
from replica.pins import Pin
from replica.rollback import ROLLBACK
from replica.search import MOST_ROWS, Condition, Found, Op, Order, Search
from replica.segments import fold_segments, refresh_segments
from replica.settings import ReplicaSettings

__all__ = [
    "MOST_ROWS",
    "OPERATION",
    "QUARANTINE",
    "ROLLBACK",
    "AppliedContract",
    "AsOf",
    "CatalogueShared",
    "Condition",
    "Counts",
    "CursorInvalid",
    "DatasetNotReady",
    "Delivery",
    "Found",
    "HistoryExpired",
    "KeysRepeated",
    "Lake",
    "LakeBusy",
    "LakeInconsistent",
    "LookupReader",
    "Lookups",
    "Mode",
    "Op",
    "Order",
    "PastReader",
    "Pin",
    "Publication",
    "ReplicaSettings",
    "RollbackImpossible",
    "RunRecord",
    "RunSummary",
    "Search",
    "SearchInvalid",
    "SearchTooSlow",
    "SnapshotInfo",
    "Upkeep",
    "View",
    "fold_segments",
    "read_past",
    "refresh_segments",
]
