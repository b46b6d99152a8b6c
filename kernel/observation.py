"""Facts worth noticing. Log, metrics and ledger read the same fact, so they cannot disagree.

`subjects` are the identifiers that a call asked about, in clear. They are here so that the ledger can store
their keyed hashes; nothing else may read them, and their repr is empty so that no log line can hold them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from kernel.call import Channel, Operation
from kernel.ids import AgreementId, EventId, ServiceName, SnapshotId, SystemId, TraceId


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Four time stamps of a call, as microseconds since it came in.

    to_source, from_source   0 when no source outside the house was asked
    out                      when the answer was ready to leave
    """

    to_source_us: int = 0
    from_source_us: int = 0
    out_us: int

    @property
    def own_us(self) -> int:
        return self.out_us - (self.from_source_us - self.to_source_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a caller says of its own call.

    on_behalf_of          its end user, in clear: for the ledger's keyed hash alone
    call_id, accounting   its own number for the call, and words for its books; free text, so nothing may print them
    """

    on_behalf_of: str | None = field(default=None, repr=False)
    call_id: str | None = field(default=None, repr=False)
    accounting: str | None = field(default=None, repr=False)


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswered:
    """A call got its answer (also 'no such record': status 404)."""

    event: EventId
    at: datetime
    trace: TraceId
    channel: Channel
    service: ServiceName
    operation: Operation
    system: SystemId
    agreement: AgreementId
    terms_hash: str
    municipality_cvr: str
    status: int
    timing: Timing
    snapshot: SnapshotId | None = None
    keys: int = 0
    rows: int = 0
    size_bytes: int = 0
    subjects: tuple[str, ...] = field(default=(), repr=False)
    said: Said = NOTHING_SAID


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRefused:
    """A call was turned away. Fields are None where the refusal came before they were known."""

    event: EventId
    at: datetime
    trace: TraceId
    channel: Channel
    code: str
    status: int
    reason: str
    service: ServiceName | None = None
    operation: Operation | None = None
    system: SystemId | None = None
    agreement: AgreementId | None = None
    municipality_cvr: str | None = None
    rule: str | None = None
    owner: str | None = None
    remedy: str | None = None
    credential: str | None = None
    peer: str | None = None
    timing: Timing | None = None
    subjects: tuple[str, ...] = field(default=(), repr=False)
    said: Said = NOTHING_SAID


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsDelivered:
    """A bulk file left the house, or an answer that a source streamed; whole or cut off.

    Written when the transfer ends; the CallAnswered of the same trace was written before it began.
    """

    event: EventId
    at: datetime
    trace: TraceId
    channel: Channel
    service: ServiceName
    system: SystemId
    agreement: AgreementId
    terms_hash: str
    municipality_cvr: str
    extract: str
    snapshot: SnapshotId | None
    rows: int
    size_bytes: int
    whole: bool
    timing: Timing
    operation: Operation = Operation.EXTRACT


Observation = CallAnswered | CallRefused | RowsDelivered
Observe = Callable[[Observation], None]
"""Returns only when the fact is kept: an answer may leave after that, never before."""
