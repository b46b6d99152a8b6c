"""A data call on its way: identify, admit, and be put on record before anything leaves."""

import re
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import ClassVar, Final

import structlog

from api.doors import Doors
from api.errors import HeaderInvalid, NotOnRecord
from api.identity import identify
from api.offer import Offer, ensure_offered
from api.request import Request
from api.stopwatch import Stopwatch
from api.tokens import AccessToken
from control import NO_LIMITS, Allowance, QuotaExhausted, RateLimited, purpose_of
from kernel import (
    COPENHAGEN,
    NOTHING_SAID,
    AgreementId,
    Call,
    CallAnswered,
    Caller,
    CallRefused,
    Channel,
    Grant,
    Observation,
    Operation,
    PlatformError,
    RowsDelivered,
    Said,
    ServiceName,
    SnapshotId,
    Timing,
    new_event_id,
)
from schemas import Dataset

_log = structlog.get_logger(__name__)

AGREEMENT: Final = "Knudepunkt-Agreement"
MUNICIPALITY: Final = "Knudepunkt-Municipality"
PURPOSE: Final = "Knudepunkt-Purpose"
_TOKEN_SCHEMES: Final = frozenset({"bearer", "holder-of-key"})

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CVR = re.compile(r"[0-9]{8}")
_CODE = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")
_MOST_SUBJECTS: Final = 1_000


class Visit:
    """What is known of a call so far. A refusal puts on record as much as was known by then.

    subjects    identifiers asked about, for the ledger alone; empty where keys are public
    said        what the caller said of its call, for the ledger alone
    allowance   what is left of the agreement's limits after this call
    token       the access token that the call shows; None without one
    """

    __slots__ = (
        "allowance",
        "caller",
        "doors",
        "grant",
        "offer",
        "operation",
        "request",
        "said",
        "service",
        "subjects",
        "timing",
        "token",
        "watch",
    )
    channel: ClassVar[Channel] = Channel.REST

    def __init__(self, doors: Doors, request: Request, offer: Offer, operation: Operation) -> None:
        self.doors, self.request, self.offer, self.operation = doors, request, offer, operation
        self.service = offer.service
        self.watch = request.watch
        self.timing: Timing | None = None
        self.caller: Caller | None = None
        self.grant: Grant | None = None
        self.subjects: tuple[str, ...] = ()
        self.said: Said = NOTHING_SAID
        self.allowance: Allowance = NO_LIMITS
        self.token: AccessToken | None = None

    @property
    def dataset(self) -> Dataset:
        """Raises DatasetUnknown for a service that has none."""
        return self.offer.dataset or self.doors.registers.dataset_of(self.service)

    def identify(self) -> Caller:
        """Raises what `identity.identify` raises, ServiceNotOffered, and what is wrong with an access token."""
        request = self.request
        self.caller = identify(request.peer, self.doors.policy(), self.doors.trust(), request.received)
        ensure_offered(self.service, today_of(request), self.doors.environment)
        self.token = self._token(self.caller)
        return self.caller

    def admit(self, caller: Caller, columns: tuple[str, ...] | None = None) -> tuple[Call, Grant]:
        """The call, and the permission that carries it; it counts from now on, whatever becomes of it.

        Raises HeaderInvalid and the refusals of `control`.
        """
        received = self.request.received
        agreement, municipality_cvr = self._under()
        if self.token is not None:
            municipality_cvr = self.token.under(municipality_cvr)
        call = Call(
            trace=self.request.trace,
            caller=caller,
            channel=self.channel,
            service=self.service.name,
            operation=self.operation,
            received=received,
            agreement=agreement,
            municipality_cvr=municipality_cvr,
            columns=columns,
        )
        named = _named(self.request, PURPOSE, _CODE, "the code of a purpose")
        self.grant = grant = self.doors.policy().grant(call, received)
        purpose, counters = purpose_of(grant, self._purpose(grant, named)), self.doors.counters
        try:
            self.allowance = counters.admit(grant, purpose, received)
        except (RateLimited, QuotaExhausted):
            self.allowance = counters.look(grant, purpose, received)
            raise
        return call, grant

    def _under(self) -> tuple[AgreementId | None, str | None]:
        """The agreement that the call names, and the municipality. Raises HeaderInvalid."""
        agreement = _named(self.request, AGREEMENT, _UUID, "a UUID")
        municipality_cvr = _named(self.request, MUNICIPALITY, _CVR, "a CVR number of eight digits")
        return None if agreement is None else AgreementId(agreement), municipality_cvr

    def _token(self, caller: Caller) -> AccessToken | None:
        desk, peer = self.doors.tokens, self.request.peer
        if desk is None or peer is None or b"authorization" not in self.request.headers:
            return None
        scheme, _, token = (self.request.once("Authorization") or "").partition(" ")
        if scheme.lower() not in _TOKEN_SCHEMES:
            return None
        self.said = Said(call_id=_named(self.request, "x-TransaktionsId", _UUID, "a UUID"))
        return desk.read(token.strip(), self.service.name, caller, peer.fingerprint, self.request.received)

    def _purpose(self, grant: Grant, named: str | None) -> str | None:
        del grant
        return named

    def asks_about(self, keys: list[str]) -> None:
        if not self.offer.key_is_public and len(keys) <= _MOST_SUBJECTS:
            self.subjects = tuple(keys)

    def answered(
        self,
        grant: Grant,
        *,
        status: int,
        snapshot: SnapshotId | None = None,
        keys: int = 0,
        rows: int = 0,
        size_bytes: int = 0,
    ) -> None:
        """Put the answer on record; it may leave when this returns. Raises NotOnRecord, or what the ledger raises."""
        self.timing = self.watch.timing()
        keep(
            self.doors,
            CallAnswered(
                event=new_event_id(),
                at=self.request.received,
                trace=self.request.trace,
                channel=self.channel,
                service=self.service.name,
                operation=self.operation,
                **grant.on_record,
                status=status,
                timing=self.timing,
                snapshot=snapshot,
                keys=keys,
                rows=rows,
                size_bytes=size_bytes,
                subjects=self.subjects,
                said=self.said,
            ),
        )

    def delivered(
        self,
        grant: Grant,
        *,
        extract: str = "",
        snapshot: SnapshotId | None = None,
        rows: int = 0,
        size_bytes: int,
        whole: bool,
    ) -> None:
        """Put the end of a transfer on record; its answer is on record from before. Raises as `answered`."""
        fact = RowsDelivered(
            event=new_event_id(), at=self.doors.clock.now(), trace=self.request.trace, channel=self.channel,
            service=self.service.name, operation=self.operation, extract=extract, snapshot=snapshot, rows=rows,
            size_bytes=size_bytes, whole=whole, timing=self.watch.timing(), **grant.on_record,
        )  # fmt: skip
        keep(self.doors, fact)

    def refused(self, error: PlatformError) -> PlatformError:
        """As `refusal_on_record`, with what is known of the call by now."""
        return refusal_on_record(
            self.doors, self.request, error,
            service=self.service.name,
            operation=self.operation,
            caller=self.caller,
            grant=self.grant,
            subjects=self.subjects,
            watch=self.watch,
            channel=self.channel,
            said=self.said,
        )  # fmt: skip


def refusal_on_record(
    doors: Doors,
    request: Request,
    error: PlatformError,
    *,
    service: ServiceName | None = None,
    operation: Operation | None = None,
    caller: Caller | None = None,
    grant: Grant | None = None,
    subjects: tuple[str, ...] = (),
    watch: Stopwatch | None = None,
    channel: Channel = Channel.REST,
    said: Said = NOTHING_SAID,
) -> PlatformError:
    """Put a refusal on record, and give what the caller is told: the refusal, or that it cannot be put on record."""
    peer = request.peer
    fact = CallRefused(
        event=new_event_id(),
        at=request.received,
        trace=request.trace,
        channel=channel,
        code=error.code,
        status=error.status,
        reason=error.message,
        service=service,
        operation=operation,
        system=caller.system if caller else None,
        agreement=grant.agreement if grant else error.agreement,
        municipality_cvr=grant.municipality_cvr if grant else error.municipality_cvr,
        rule=error.rule,
        owner=error.owner,
        remedy=error.remedy or None,
        credential=peer.fingerprint if peer else None,
        peer=request.address,
        timing=(watch or request.watch).timing(),
        subjects=subjects,
        said=said,
    )
    try:
        keep(doors, fact)
    except PlatformError as failure:
        return failure
    return error


def keep(doors: Doors, fact: Observation) -> None:
    """Put a fact on record. Raises NotOnRecord, or what the ledger raises on purpose."""
    try:
        doors.observe(fact)
    except PlatformError:
        raise
    except Exception as error:
        _log.error("not_on_record", trace=fact.trace, error=type(error).__name__)
        raise NotOnRecord("the call could not be put on record", remedy="call again later", retry_after_s=30) from error


def today_of(request: Request) -> date:
    """The day in Copenhagen on which protection is judged."""
    return _day_in_copenhagen(request.received.date(), request.received.hour)


@lru_cache(maxsize=8)
def _day_in_copenhagen(day: date, hour: int) -> date:
    # Midnight in Copenhagen is a full hour in UTC, so every moment of an hour lies on the same day.
    return datetime.combine(day, time(hour), UTC).astimezone(COPENHAGEN).date()


def _named(request: Request, name: str, shape: re.Pattern[str], form: str) -> str | None:
    value = request.once(name)
    if value is None:
        return None
    # As a string of RFC 9651 it may stand in quotes.
    value = value.removeprefix('"').removesuffix('"').lower()
    if not shape.fullmatch(value):
        raise HeaderInvalid(f"the header {name} does not hold {form}", remedy=f"mend or omit {name}")
    return value
