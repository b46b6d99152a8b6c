"""A service: what can be called. Read from `<name>.service.yaml`, one service a file.

name: municipalities                 # as it stands in the path; lower case, digits, hyphens
uuid: 6f0c...                        # fixed for ever
version: 1.0.0
title: {da: Kommuner, en: Municipalities}
description: {da: ..., en: ...}
status: production                   # under-consideration | test | production | deprecated | retired
service_type: lookup                 # lookup | extract | update | function
integration_type: replica            # redirect | pass-through | replica | orchestration | component
dataset: municipality.municipalities # <register>.<dataset>, of a replica service
sla_class: simple                    # simple | medium | complex | bulk
price_model: free                    # words for the catalogue
terms: ...                           # words for the catalogue
test_data: ...                       # what the test environment holds
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kernel import DatasetId, Operation, ServiceName


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
    PASS_THROUGH = "pass-through"
    REPLICA = "replica"
    ORCHESTRATION = "orchestration"
    COMPONENT = "component"


class SlaClass(StrEnum):
    """Response time that is promised: see `seconds`."""

    SIMPLE = "simple"
    MEDIUM = "medium"
    COMPLEX = "complex"
    BULK = "bulk"

    @property
    def seconds(self) -> float:
        """Of the whole answer; of the first byte for BULK, which then runs at 200 kb/s or more."""
        return {"simple": 1.0, "medium": 1.5, "complex": 4.0, "bulk": 15.0}[self.value]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """title, description   by language: da, en"""

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
    key_is_public: bool = False

    @property
    def operations(self) -> frozenset[Operation]:
        if self.service_type is ServiceType.LOOKUP:
            return frozenset({Operation.LOOKUP} | ({Operation.RECORD} if self.key_is_public else set()))
        if self.service_type is ServiceType.EXTRACT:
            return frozenset({Operation.EXTRACT})
        return frozenset()
