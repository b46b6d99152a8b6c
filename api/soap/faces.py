"""Which services have a SOAP face, and under which paths."""

from collections.abc import Callable, Mapping
from typing import Final

from api.doors import Doors
from api.offer import Offer
from api.soap.door import SoapDoor
from api.soap.elsewhere import elsewhere
from api.soap.established.cvr import cvr
from api.soap.established.demo import demo
from api.soap.established.person import person_4, person_5
from api.soap.established.query import query
from api.soap.established.subscription import subscription
from api.soap.generic import generic
from api.soap.interface import Interface
from kernel import Operation
from schemas import Redirect, Service

ESTABLISHED: Final[Mapping[str, Callable[[Doors, Service], Interface]]] = {
    "cpr-query-3": query,
    "cpr-subscription-1": subscription,
    "cvr-online-2": cvr,
    "demo-1": demo,
    "person-base-data-extended-4": person_4,
    "person-base-data-extended-5": person_5,
}
"""By the word that a service's descriptor names them with (`soap: demo-1`)."""


def soap_interface(doors: Doors, service: Service) -> Interface | None:
    """The interface that a service has: the established one that it names, one from its contract, or one that says
    where the service is; None for none.
    """
    if service.soap:
        return ESTABLISHED[service.soap](doors, service)
    if isinstance(service.live, Redirect):
        return elsewhere(doors, service)
    return generic(doors, service) if Operation.LOOKUP in service.operations and service.dataset else None


def soap_doors(doors: Doors) -> dict[str, SoapDoor]:
    """By path."""
    found: dict[str, SoapDoor] = {}
    for service in doors.registers.services:
        dataset = None if service.dataset is None else doors.registers.dataset(service.dataset)
        if (interface := soap_interface(doors, service)) is None:
            continue
        face = SoapDoor(doors, Offer.of(service, dataset), interface)
        found.update(dict.fromkeys(face.interface.paths, face))
    return found
