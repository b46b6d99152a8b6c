"""Trace ids: taken from the caller's W3C Trace Context when it sends one, else made here."""

import os
import re

from kernel import TraceId, new_trace_id

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_NONE = b"0" * 32


def trace_of(traceparent: bytes | None) -> TraceId:
    """The trace-id of a `traceparent` header (section 3.2.2.3); a new one when there is none that can be used."""
    if traceparent is not None:
        found = _TRACEPARENT.fullmatch(traceparent)
        if found is not None and found[1] != _NONE:
            return TraceId(found[1].decode())
    return new_trace_id()


def child_of(trace: TraceId) -> str:
    """A `traceparent` for a request that belongs to this trace."""
    return f"00-{trace}-{os.urandom(8).hex()}-00"
