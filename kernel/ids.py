"""Identifiers. Each is its own type, so that a system's id cannot be passed where an agreement's is meant."""

import os
import time
from typing import NewType

OrganisationId = NewType("OrganisationId", str)
SystemId = NewType("SystemId", str)
AgreementId = NewType("AgreementId", str)
EventId = NewType("EventId", str)
TraceId = NewType("TraceId", str)
"""32 lower-case hex digits, the trace-id of W3C Trace Context (https://www.w3.org/TR/trace-context/)."""
ServiceName = NewType("ServiceName", str)
"""A service as it stands in a path, for instance `cpr-persons`; a second major version has its own name."""
DatasetId = NewType("DatasetId", str)
"""`<register>.<dataset>`, for instance `cpr.persons`."""
SnapshotId = NewType("SnapshotId", int)
"""Number of a publication; grows with time, the same for every dataset of one lake."""


def new_id() -> str:
    """A UUID version 7 (RFC 9562, 5.7): sorts by the time it was made, in milliseconds."""
    milliseconds = time.time_ns() // 1_000_000
    noise = int.from_bytes(os.urandom(10))
    value = (milliseconds & (1 << 48) - 1) << 80 | noise
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    # As uuid.UUID writes it, in half the time: each call that is put on record gets one.
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_event_id() -> EventId:
    return EventId(new_id())


def new_trace_id() -> TraceId:
    return TraceId(os.urandom(16).hex())
