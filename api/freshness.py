"""How old an answer's data is, on every answer."""

from datetime import datetime

from api.answer import Headers
from kernel import TraceId
from replica import SnapshotInfo


def age_s(info: SnapshotInfo, now: datetime) -> int:
    """Seconds since the source's own time for its data."""
    return max(0, int((now - info.as_of).total_seconds()))


def stamps(info: SnapshotInfo, trace: TraceId, now: datetime, *, personal: bool) -> Headers:
    """Snapshot, as-of and age (RFC 9111), trace, and whether the answer may be kept.

    Knudepunkt-Snapshot is an Integer and Knudepunkt-As-Of a Date of RFC 9651 (`@` and seconds since 1970).
    """
    return [
        (b"knudepunkt-snapshot", b"%d" % info.snapshot),
        (b"knudepunkt-as-of", b"@%d" % int(info.as_of.timestamp())),
        (b"age", b"%d" % age_s(info, now)),
        (b"knudepunkt-trace", trace.encode()),
        (b"cache-control", b"no-store" if personal else b"private, no-cache"),
    ]
