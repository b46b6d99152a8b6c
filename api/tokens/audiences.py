"""The names that services have in tokens."""

from collections.abc import Mapping
from typing import Final

from kernel import ServiceName
from schemas import Registers

ESTABLISHED: Final[Mapping[str, tuple[str, ...]]] = {
    "cpr-query-3": ("http://cpr.serviceplatformen.dk/service/query/3",),
    "cvr-online-2": ("http://cvr.serviceplatformen.dk/service/online/2",),
    "demo-1": (
        "http://demo.prod-serviceplatformen.dk/service/DemoService/1",
        "http://entityid.kombit.dk/service/demoservicerest/1",
    ),
    "person-base-data-extended-4": ("http://cpr.serviceplatformen.dk/service/personbasedataextended/4",),
    "person-base-data-extended-5": ("http://cpr.serviceplatformen.dk/service/personbasedataextended/5",),
}
"""By the word with which a descriptor names its established interface: the entity ids that clients know it by."""


def audiences_of(registers: Registers) -> dict[str, ServiceName]:
    """Every service under `urn:knudepunkt:NAME:MAJOR`, as in its WSDL; established ones under their entity id too."""
    found: dict[str, ServiceName] = {}
    for service in registers.services:
        found[f"urn:knudepunkt:{service.name}:{service.version.partition('.')[0]}"] = service.name
        found.update(dict.fromkeys(ESTABLISHED.get(service.soap or "", ()), service.name))
    return found
