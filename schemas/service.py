"""A service: what can be called. Read from `<name>.service.yaml`, one service a file. For instance:

    name: municipalities                  # as it stands in the path; lower-case letters and digits, single hyphens
    uuid: 0b7f7a3a-6e8e-4c0e-8a55-7f8f1f0f6c31   # of this service alone, and for ever
    version: 1.0.0                        # a second major version is a service with its own name
    title: {da: Kommuner, en: Municipalities}
    description: {da: Slå en kommune op på dens kode., en: Look a municipality up by its code.}
    status: production                    # under-consideration | test | production | deprecated | retired
    ends: 2027-06-30                      # of a deprecated one, and there it must stand: the last day it answers
    successor: municipalities-2           # optional, of a deprecated one: the service to move to
    service_type: lookup                  # lookup | extract | update | function
    integration_type: replica             # redirect | pass-through | replica | orchestration | component
    dataset: municipality.municipalities  # <register>.<dataset>; a replica service has one
    sla_class: simple                     # simple | medium | complex | bulk
    price_model: Free of charge.          # optional words for the catalogue
    terms: Public data; name the source.  # optional words for the catalogue
    test_data: All 98 municipalities.     # optional words: what the test environment holds
    stub: municipalities.stub.json        # optional: a file beside this one that answers where there is no source
    soap: demo-1                          # optional: the established SOAP interface that it has beside REST

A service that is not answered from the mirror says how it is answered, in a section with the name of its integration
type: see schemas/live.py. No other field may stand there, and none twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Final

from kernel import DatasetId, Operation, ServiceName
from schemas.live import Component, Live, Orchestration, PassThrough, Redirect


class ServiceStatus(StrEnum):
    UNDER_CONSIDERATION = "under-consideration"
    TEST = "test"
    PRODUCTION = "production"
    DEPRECATED = "deprecated"
    RETIRED = "retired"


class ServiceType(StrEnum):
    LOOKUP = "lookup"
    EXTRACT = "extract"
    UPDATE = "update"
    FUNCTION = "function"


class IntegrationType(StrEnum):
    REDIRECT = "redirect"
    PASS_THROUGH = "pass-through"  # noqa: S105
    REPLICA = "replica"
    ORCHESTRATION = "orchestration"
    COMPONENT = "component"


class SlaClass(StrEnum):
    """What is promised of an answer's speed: see `seconds` and `bytes_per_s`."""

    SIMPLE = "simple"
    MEDIUM = "medium"
    COMPLEX = "complex"
    BULK = "bulk"

    @property
    def seconds(self) -> float:
        """Of the whole answer; of the first byte for BULK, which then runs at 200 kb/s or more."""
        return {"simple": 1.0, "medium": 1.5, "complex": 4.0, "bulk": 15.0}[self.value]

    @property
    def bytes_per_s(self) -> int | None:
        """After the first byte. `200 kb/s` is read as kilobytes, the stricter of its two meanings."""
        return 200_000 if self is SlaClass.BULK else None


class Suitability(StrEnum):
    SUITABLE = "suitable"
    LESS = "less suitable"
    REFUSED = "refused"


_X, _O, _NO = Suitability.SUITABLE, Suitability.LESS, Suitability.REFUSED
_INTEGRATIONS = (
    IntegrationType.REDIRECT,
    IntegrationType.PASS_THROUGH,
    IntegrationType.REPLICA,
    IntegrationType.ORCHESTRATION,
    IntegrationType.COMPONENT,
)
_TABLE: Final = {
    ServiceType.LOOKUP: (_X, _X, _X, _O, _O),
    ServiceType.EXTRACT: (_X, _O, _X, _NO, _O),
    ServiceType.UPDATE: (_X, _X, _NO, _X, _X),
    ServiceType.FUNCTION: (_X, _X, _NO, _X, _X),
}


def suitability(service_type: ServiceType, integration_type: IntegrationType) -> Suitability:
    """Whether an integration type fits a service type."""
    return _TABLE[service_type][_INTEGRATIONS.index(integration_type)]


MASTER: Final = "master-records"
"""The component by which records are written whose master is the platform."""
OF_A_DATASET: Final = frozenset({"municipality-and-age", "class-hierarchy", "event-broker", MASTER})
"""Components that need the `dataset` of their service."""
COMPONENTS: Final[Mapping[str, frozenset[Operation]]] = {
    "cpr-number-check": frozenset({Operation.CALL}),
    "cvr-number-check": frozenset({Operation.CALL}),
    "municipality-and-age": frozenset({Operation.CALL}),
    "class-hierarchy": frozenset({Operation.CALL}),
    "echo": frozenset({Operation.CALL}),
    "event-broker": frozenset({Operation.SUBSCRIPTIONS, Operation.EVENTS}),
    MASTER: frozenset({Operation.UPDATE}),
    "file-exchange": frozenset({Operation.CALL}),
}
"""The packaged functions, by the name that a descriptor calls them by, and what each offers. `integrations` holds the
functions; a test compares."""

SOAP_INTERFACES: Final[Mapping[str, DatasetId | None]] = {
    "cpr-query-3": DatasetId("cpr.persons"),
    "cpr-subscription-1": DatasetId("cpr.persons"),
    "cvr-online-2": DatasetId("cvr.companies"),
    "demo-1": None,
    "person-base-data-extended-4": DatasetId("cpr.persons"),
    "person-base-data-extended-5": DatasetId("cpr.persons"),
}
"""The established SOAP interfaces, by the name that a descriptor calls them by, and the dataset that each speaks of.
`api` holds the interfaces; a test compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """title, description   by language: da, en
    price_model, terms, test_data   words for the catalogue
    stub            file with the answer of a test environment that cannot reach the source
    search          columns, or dotted fields of nested ones, that a search may put conditions on and sort by; empty:
                    the service has no search
    ends            the last day (in Copenhagen) on which a deprecated service answers
    successor       the service to move to
    soap            the established SOAP interface that it has; empty for none
    key_is_public   whether a key of the dataset may stand in a URL; follows from the contract
    live            how it is answered when not from the mirror
    """

    name: ServiceName
    uuid: str
    version: str
    title: dict[str, str]
    description: dict[str, str]
    status: ServiceStatus
    service_type: ServiceType
    integration_type: IntegrationType
    dataset: DatasetId | None
    sla_class: SlaClass
    price_model: str = ""
    terms: str = ""
    test_data: str = ""
    stub: Path | None = None
    search: tuple[str, ...] = ()
    ends: date | None = None
    successor: ServiceName | None = None
    soap: str = ""
    key_is_public: bool = False
    live: Live | None = None

    def status_on(self, day: date) -> ServiceStatus:
        """What the service is on a day: a deprecated one retires when its last day is over."""
        return ServiceStatus.RETIRED if self.ends is not None and day > self.ends else self.status

    @property
    def scopes(self) -> frozenset[str]:
        """What an agreement may limit, of a service that has no dataset whose columns could be named."""
        return frozenset(self.live.options.get("scopes", ())) if isinstance(self.live, Component) else frozenset()

    @property
    def operations(self) -> frozenset[Operation]:
        if self.integration_type is not IntegrationType.REPLICA:
            return _live_operations(self.live)
        if self.service_type is ServiceType.LOOKUP:
            more = {Operation.RECORD: self.key_is_public, Operation.SEARCH: bool(self.search)}
            return frozenset({Operation.LOOKUP, *(operation for operation, has in more.items() if has)})
        if self.service_type is ServiceType.EXTRACT:
            return frozenset({Operation.EXTRACT})
        return frozenset()


def _live_operations(live: Live | None) -> frozenset[Operation]:
    match live:
        case Redirect():
            return frozenset({Operation.CALL, Operation.LOCATION})
        case PassThrough() | Orchestration():
            return frozenset({Operation.CALL})
        case Component(name=name):
            return COMPONENTS.get(name, frozenset())
        case None:
            return frozenset()
