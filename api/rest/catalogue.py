"""The catalogue: which services there are, what they promise, and how fresh they are. Public."""

from datetime import datetime
from typing import Any

from api.answer import Answer, json_answer
from api.doors import Doors
from api.freshness import age_s
from api.offer import CALLABLE
from api.request import Request
from api.rest.live_openapi import call_method
from api.soap.paths import soap_path
from api.visit import today_of
from extract import formats_of
from kernel import Operation, PlatformError
from schemas import Service

PATHS = {
    Operation.LOOKUP: ("POST", "/v1/services/{}/lookup"),
    Operation.RECORD: ("GET", "/v1/services/{}/records/{{key}}"),
    Operation.SEARCH: ("POST", "/v1/services/{}/search"),
    Operation.EXTRACT: ("GET", "/v1/services/{}/extract"),
    Operation.CALL: ("POST", "/v1/services/{}/call"),
    Operation.LOCATION: ("GET", "/v1/services/{}/location"),
    Operation.UPDATE: ("PUT", "/v1/services/{}/records"),
    Operation.SUBSCRIPTIONS: ("POST", "/v1/services/{}/subscriptions"),
    Operation.EVENTS: ("POST", "/v1/services/{}/events"),
}


async def catalogue(doors: Doors, request: Request) -> Answer:
    request.parameters()
    services = [_entry(doors, service, request) for service in doors.registers.services]
    return json_answer({"environment": doors.environment, "services": services})


async def entry(doors: Doors, request: Request) -> Answer:
    """One service, with the columns that an agreement may name. Raises ServiceUnknown."""
    request.parameters()
    service = doors.registers.service(request.last_segment.decode("ascii", "replace"))
    return json_answer(_entry(doors, service, request) | {"columns": _columns(doors, service)})


async def moved(doors: Doors, request: Request) -> Answer:
    """Where the services lie, what is known of them is looked for too. Raises ServiceUnknown."""
    request.parameters()
    name = request.last_segment.decode("ascii", "replace")
    below = "" if name == "services" else f"/{doors.registers.service(name).name}"
    return Answer(308, [(b"location", f"/v1/catalogue{below}".encode("ascii"))], b"")


async def api_catalog(doors: Doors, request: Request) -> Answer:
    """RFC 9727: where an API is described, as a link set (RFC 9264)."""
    request.parameters()
    about = {
        "service-desc": [{"href": "/openapi.json", "type": "application/vnd.oai.openapi+json;version=3.1"}],
        "service-doc": [{"href": "/docs", "type": "text/html"}],
        "status": [{"href": "/health/ready", "type": "application/json"}],
    }
    linkset = [{"anchor": f"/v1/services/{service.name}", **about} for service in doors.registers.services]
    answer = json_answer({"linkset": [{"anchor": "/v1/catalogue", **about}, *linkset]})
    answer.headers[0] = (
        b"content-type",
        b'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"',
    )
    return answer


def _entry(doors: Doors, service: Service, request: Request) -> dict[str, Any]:
    sla, status = service.sla_class, service.status_on(today_of(request))
    return {
        "name": service.name,
        "uuid": service.uuid,
        "version": service.version,
        "title": service.title,
        "description": service.description,
        "status": status.value,
        "callable": status in CALLABLE[doors.environment],
        "ends": service.ends,
        "successor": service.successor,
        "type": service.service_type.value,
        "integration_type": service.integration_type.value,
        "dataset": service.dataset,
        "search": service.search,
        "formats": _formats(doors, service),
        "operations": [
            {
                "name": operation.value,
                "method": _method(service, operation),
                "path": PATHS[operation][1].format(service.name),
            }
            for operation in Operation
            if operation in service.operations
        ],
        "soap": None if (path := soap_path(service)) is None else {"path": path, "wsdl": f"{path}?wsdl"},
        "sla": {"class": sla.value, "seconds": sla.seconds},
        "freshness": _freshness(doors, service, request.received),
        "terms": service.terms,
        "price_model": service.price_model,
        "test_data": service.test_data,
    }


def _method(service: Service, operation: Operation) -> str:
    return call_method(service) if operation is Operation.CALL else PATHS[operation][0]


def _formats(doors: Doors, service: Service) -> list[str]:
    """Of extracts; none of a service that gives none."""
    if service.dataset is None or Operation.EXTRACT not in service.operations:
        return []
    return [each.value for each in formats_of(doors.registers.dataset(service.dataset))]


def _columns(doors: Doors, service: Service) -> list[dict[str, Any]]:
    if service.dataset is None:
        return []
    return [
        {
            "name": column.name,
            "type": column.kind.value,
            "classification": column.classification.value,
            "description": column.description,
        }
        for column in doors.registers.dataset(service.dataset).columns
    ]


def _freshness(doors: Doors, service: Service, now: datetime) -> dict[str, Any] | None:
    """None when the mirror holds nothing yet."""
    if service.dataset is None:
        return None
    try:
        info = doors.lookups.reader(service.dataset).info
    except PlatformError:
        return None
    target_s = doors.registers.dataset(service.dataset).freshness_target_s
    return {"snapshot": info.snapshot, "as_of": info.as_of, "age_s": age_s(info, now), "target_s": target_s}
