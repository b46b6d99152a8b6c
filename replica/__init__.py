"""Replica: the mirror of the registers, and lookups in it.

Deliveries come in through Lake.publish and become snapshots that never change afterwards. Lookups search
memory-mapped segments that are made from the newest snapshot; extracts read those too, or scan the lake.
"""

from typing import TYPE_CHECKING

from kernel.door import hang_door

if TYPE_CHECKING:
    from replica.conditions import AllOf, AnyOf, Condition, Joined, Matching, Not, Op, columns_in
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
        SnapshotUnknown,
    )
    from replica.evolution import AppliedContract
    from replica.history import PastReader, read_past
    from replica.lake import Lake
    from replica.lookup import LookupReader, Lookups
    from replica.maintenance import Upkeep
    from replica.pins import Pin
    from replica.rollback import ROLLBACK
    from replica.search import MOST_ROWS, Found, Order, Search
    from replica.segments import fold_segments, refresh_segments
    from replica.settings import ReplicaSettings
    from replica.sorted_rows import sorted_rows
    from replica.standing import Standing, standing_of

__all__ = [
    "MOST_ROWS",
    "OPERATION",
    "QUARANTINE",
    "ROLLBACK",
    "AllOf",
    "AnyOf",
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
    "Joined",
    "KeysRepeated",
    "Lake",
    "LakeBusy",
    "LakeInconsistent",
    "LookupReader",
    "Lookups",
    "Matching",
    "Mode",
    "Not",
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
    "SnapshotUnknown",
    "Standing",
    "Upkeep",
    "View",
    "columns_in",
    "fold_segments",
    "read_past",
    "refresh_segments",
    "sorted_rows",
    "standing_of",
]

hang_door(__name__)
