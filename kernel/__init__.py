"""Kernel: the words that every room speaks. Standard library only; values without behaviour of their own, beside what
stands for the machine: its clock and its threads.

A noun belongs here when three rooms use it; otherwise it stays in the room that looks after it.
"""

from kernel.beside import Beside
from kernel.call import Call, Caller, Channel, Operation
from kernel.clock import COPENHAGEN, Clock, SystemClock
from kernel.errors import (
    CallerMistake,
    DataRefused,
    HouseFault,
    NotAllowed,
    NotFound,
    NotIdentified,
    OperatorMistake,
    PlatformError,
    RequestInvalid,
    TryAgainLater,
)
from kernel.grant import Grant, Limits, Purpose
from kernel.ids import (
    AgreementId,
    DatasetId,
    EventId,
    OrganisationId,
    ServiceName,
    SnapshotId,
    SystemId,
    TraceId,
    new_event_id,
    new_id,
    new_trace_id,
)
from kernel.observation import (
    NOTHING_SAID,
    CallAnswered,
    CallRefused,
    Observation,
    Observe,
    RowsDelivered,
    Said,
    Timing,
)
from kernel.room import MB, NO_FLOOR, DiskFull, Floor, Volume, full_disk_told, no_room, says_full
from kernel.window import Window

__all__ = [
    "COPENHAGEN",
    "MB",
    "NOTHING_SAID",
    "NO_FLOOR",
    "AgreementId",
    "Beside",
    "Call",
    "CallAnswered",
    "CallRefused",
    "Caller",
    "CallerMistake",
    "Channel",
    "Clock",
    "DataRefused",
    "DatasetId",
    "DiskFull",
    "EventId",
    "Floor",
    "Grant",
    "HouseFault",
    "Limits",
    "NotAllowed",
    "NotFound",
    "NotIdentified",
    "Observation",
    "Observe",
    "Operation",
    "OperatorMistake",
    "OrganisationId",
    "PlatformError",
    "Purpose",
    "RequestInvalid",
    "RowsDelivered",
    "Said",
    "ServiceName",
    "SnapshotId",
    "SystemClock",
    "SystemId",
    "Timing",
    "TraceId",
    "TryAgainLater",
    "Volume",
    "Window",
    "full_disk_told",
    "new_event_id",
    "new_id",
    "new_trace_id",
    "no_room",
    "says_full",
]
