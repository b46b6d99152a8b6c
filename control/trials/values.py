from dataclasses import dataclass
from datetime import datetime

from kernel import ServiceName, SystemId, TraceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The first successful call of a system: when it was, under which trace id, and of which service."""

    system: SystemId
    passed: datetime
    trace: TraceId
    service: ServiceName
