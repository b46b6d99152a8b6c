"""Under which path a service is called over SOAP."""

from collections.abc import Mapping
from typing import Final

from kernel import Operation
from schemas import Redirect, Service

ESTABLISHED_PATHS: Final[Mapping[str, str]] = {
    "cpr-query-3": "/service/CPR/Query/3",
    "cpr-subscription-1": "/service/CPRSubscription/CPRSubscription/1/",
    "cvr-online-2": "/service/CVR/Online/2",
    "demo-1": "/service/SP/Demo/1",
    "person-base-data-extended-4": "/service/CPR/PersonBaseDataExtended/4",
    "person-base-data-extended-5": "/service/CPR/PersonBaseDataExtended/5",
}
"""By the word of a service's descriptor."""


def soap_path(service: Service) -> str | None:
    """None for a service without a SOAP face."""
    if service.soap:
        return ESTABLISHED_PATHS[service.soap]
    if isinstance(service.live, Redirect):
        return f"/soap/{service.name}"
    return f"/soap/{service.name}" if Operation.LOOKUP in service.operations and service.dataset else None
