"""Replica: the mirror of the registers, and lookups in it.

Deliveries come in through Lake.publish and become snapshots that never change afterwards. Lookups search
memory-mapped segments that are made from the newest snapshot; extracts scan the lake.
"""

from replica.delivery import QUARANTINE, Counts, Delivery, Mode, Publication, RunRecord, RunSummary, SnapshotInfo
from replica.errors import DatasetNotReady, HistoryExpired, KeysRepeated, LakeBusy, LakeInconsistent
from replica.lake import Lake
from replica.lookup import LookupReader, Lookups
from replica.segments import refresh_segments
from replica.settings import ReplicaSettings

__all__ = [
    "QUARANTINE",
    "Counts",
    "DatasetNotReady",
    "Delivery",
    "HistoryExpired",
    "KeysRepeated",
    "Lake",
    "LakeBusy",
    "LakeInconsistent",
    "LookupReader",
    "Lookups",
    "Mode",
    "Publication",
    "ReplicaSettings",
    "RunRecord",
    "RunSummary",
    "SnapshotInfo",
    "refresh_segments",
]
