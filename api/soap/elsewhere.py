"""The interface of a service that is elsewhere: one operation, which says where. The rest is called there.

SOAP has no redirect that clients follow, so the address is an element of an answer, as it is a document over REST.
"""

from typing import Final

from api.doors import Doors
from api.soap.established.shared import ANY_CONTEXT, CONTEXTS
from api.soap.interface import Answered, Interface, Turn, declared, writer_of
from api.soap.notation import Schema, schema
from api.soap.own import own_interface, own_namespace, response_of
from integrations import location
from kernel import Operation
from schemas import Redirect, Service

_TYPES: Final = f"""
type LocationRequestType = {ANY_CONTEXT}
type LocationResponseType = service:string, location:anyURI, permanent:boolean
element LocationRequest : LocationRequestType
element LocationResponse : LocationResponseType
"""


def elsewhere(doors: Doors, service: Service) -> Interface:
    live = service.live
    permanent = isinstance(live, Redirect) and live.permanent
    types = location_schema(own_namespace(service))
    written = writer_of(types).element(response_of(types, Operation.LOCATION), declared(types))

    async def answer(turn: Turn) -> Answered:
        _, grant = turn.admit()
        where = location(service, doors.sources)
        return Answered(
            grant=grant, body=written({"service": service.name, "location": where, "permanent": permanent})
        )  # fmt: skip

    return own_interface(service, types, Operation.LOCATION, answer)


def location_schema(namespace: str) -> Schema:
    return schema(namespace, "location.xsd", _TYPES, **CONTEXTS)
