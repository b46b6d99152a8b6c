"""What is asked, by whom, through which door."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from kernel.ids import AgreementId, ServiceName, SystemId, TraceId


class Channel(StrEnum):
    REST = "rest"
    SFTP = "sftp"
    SHARING = "sharing"
    PUSH = "push"
    SOAP = "soap"


class Operation(StrEnum):
    LOOKUP = "lookup"
    RECORD = "record"
    SEARCH = "search"
    EXTRACT = "extract"
    DESCRIBE = "describe"
    CALL = "call"
    LOCATION = "location"
    UPDATE = "update"
    EXCHANGE = "exchange"
    SUBSCRIPTIONS = "subscriptions"
    EVENTS = "events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A consumer system, known by its certificate (or its SSH key over SFTP).

    credential   SHA-256 fingerprint, lower-case hex, of the certificate or key that proved it
    operator     whether it belongs to an organisation that runs the platform
    """

    system: SystemId
    name: str
    organisation_cvr: str
    credential: str
    operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call on its way through the house.

    The agreement may be named (`agreement`), or found from caller, service and `municipality_cvr`,
    or, when neither is given, be the caller's only live agreement for the service.
    """

    trace: TraceId
    caller: Caller
    channel: Channel
    service: ServiceName
    operation: Operation
    received: datetime
    agreement: AgreementId | None = None
    municipality_cvr: str | None = None
    columns: tuple[str, ...] | None = None
