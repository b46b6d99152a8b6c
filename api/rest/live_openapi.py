"""What the OpenAPI document says of live services: made from their descriptors."""

from typing import Any, Final

from api.rest.components import TEXT, reference
from api.rest.record_schema import Schema, key_schema
from schemas import MASTER, Component, Dataset, Method, Orchestration, PassThrough, Redirect, Service

_REFUSALS: Final = (400, 401, 403, 404, 413, 415, 500, 502, 503, 504)
_WRITES: Final = {"put": "make or replace one", "patch": "change fields of one", "delete": "remove one"}
_BOOLEAN: Final[Schema] = {"type": "boolean"}
_NUMBER: Final[Schema] = {"type": "string", "maxLength": 40}


def closed(properties: dict[str, Schema], required: tuple[str, ...] | None = None) -> Schema:
    """An object with just these properties, all of them required unless said otherwise."""
    names = list(properties) if required is None else list(required)
    return {"type": "object", "properties": properties, "required": names, "additionalProperties": False}


_CLASS: Final = closed(
    {
        "code": TEXT,
        "level": {"type": "integer"},
        "title": TEXT,
        "valid_from": {"type": "string", "format": "date"},
        "valid_to": {"type": ["string", "null"], "format": "date"},
    }
)
_CLASSES: Final[Schema] = {"type": "array", "items": _CLASS}
COMPONENT_BODIES: Final[dict[str, tuple[Schema, Schema]]] = {
    "cpr-number-check": (
        closed({"pnr": _NUMBER}),
        closed(
            {
                "shaped": _BOOLEAN,
                "valid": _BOOLEAN,
                "check_digit": {"type": ["boolean", "null"]},
                "birth_date": {"type": ["string", "null"], "format": "date"},
                "gender": {"type": ["string", "null"]},
                "fictitious": _BOOLEAN,
            }
        ),
    ),
    "municipality-and-age": (
        closed({"pnr": {"type": "string", "pattern": "^[0-9]{10}$"}}),
        closed(
            {
                "municipality_code": {"type": ["string", "null"]},
                "municipality": {"type": ["string", "null"]},
                "age": {"type": ["integer", "null"]},
                "uncertain": _BOOLEAN,
                "alive": _BOOLEAN,
            }
        ),
    ),
    "class-hierarchy": (
        closed({"code": TEXT, "on": {"type": "string", "format": "date"}}, ("code",)),
        closed({"class": _CLASS, "above": _CLASSES, "below": _CLASSES, "on": {"type": "string", "format": "date"}}),
    ),
    "file-exchange": (closed({}), {"type": "object"}),
    "echo": (closed({"message": _NUMBER | {"maxLength": 200}}), closed({"message": TEXT})),
    "cvr-number-check": (closed({"cvr": _NUMBER}), closed({"shaped": _BOOLEAN, "valid": _BOOLEAN})),
}
"""Component -> what it takes and what it answers."""


def live_paths(service: Service, dataset: Dataset | None) -> dict[str, Any]:
    """The paths of a live service."""
    base = f"/v1/services/{service.name}"
    match service.live:
        case Redirect(permanent=permanent):
            return _redirect(service, base, 308 if permanent else 307)
        case PassThrough() as live:
            return {f"{base}/call": {method.lower(): _pass_through(service, live, method) for method in live.methods}}
        case Orchestration() as orchestration:
            fields: dict[str, Schema] = {
                name: {"type": "string", "pattern": f"^(?:{pattern})$"} for name, pattern in orchestration.input.items()
            }
            return {f"{base}/call": {"post": _post(service, closed(fields), _joined())}}
        case Component(name=name) if name == MASTER and dataset is not None:
            return {f"{base}/records": {method: _written(service, dataset, method) for method in _WRITES}}
        case Component(name="event-broker") if dataset is not None:
            return {
                f"{base}/subscriptions": _subscriptions(service, dataset),
                f"{base}/events": {"post": _events(service, dataset)},
            }
        case Component(name=name) if name in COMPONENT_BODIES:
            return {f"{base}/call": {"post": _post(service, *COMPONENT_BODIES[name])}}
        case _:
            return {}


def call_method(service: Service) -> str:
    """The HTTP method that a call of the service is made with, where one is enough to show."""
    match service.live:
        case Redirect():
            return "GET"
        case PassThrough(methods=methods):
            return Method.POST if Method.POST in methods else min(methods)
        case _:
            return "POST"


def operation(service: Service, name: str) -> dict[str, Any]:
    return {
        "operationId": f"{name}_{service.name.replace('-', '_')}",
        "tags": [service.name],
        "summary": service.title["en"],
        "description": f"{service.description['en']}\n\n{service.terms}",
        "parameters": [reference("parameters", each) for each in ("Agreement", "Municipality")],
        "responses": {str(status): reference("responses", f"Refused{status}") for status in _REFUSALS},
    }


def _redirect(service: Service, base: str, status: int) -> dict[str, Any]:
    made = operation(service, "call")
    headers = {"Location": {"schema": {"type": "string", "format": "uri"}}}
    made["responses"][str(status)] = {"description": "Where the service is; send the call there.", "headers": headers}
    where = operation(service, "location")
    schema = closed({"service": {"const": service.name}, "location": TEXT, "permanent": _BOOLEAN, "trace": TEXT})
    where["responses"]["200"] = {
        "description": "Where the service is.",
        "content": {"application/json": {"schema": schema}},
    }
    return {f"{base}/call": {"get": made}, f"{base}/location": {"get": where}}


def _pass_through(service: Service, live: PassThrough, method: Method) -> dict[str, Any]:
    made = operation(service, f"call_{method.lower()}")
    made["parameters"] += [{"name": name, "in": "query", "schema": TEXT} for name in sorted(live.query)]
    made["parameters"] += [
        {"name": name, "in": "header", "schema": TEXT} for name in sorted(live.request_headers - {"accept"})
    ]
    if live.fallback is not None:
        made["parameters"].append(
            {
                "name": "Cache-Control",
                "in": "header",
                "schema": TEXT,
                "description": "`max-age=SECONDS`: how old an answer from the replica may be when the source does not "
                "answer; `no-cache`: none.",
            }
        )
    if method in {Method.POST, Method.PUT, Method.PATCH, Method.DELETE}:
        text = f"At most {live.most_request_bytes} bytes, in the form that the source takes."
        made["requestBody"] = {"description": text, "content": {"application/json": {}, "*/*": {}}}
    made["responses"]["default"] = {
        "description": "What the source answers, or, where the service names a replica, what that holds.",
        "content": {"*/*": {}},
        "headers": {"Knudepunkt-Answered-By": reference("headers", "Knudepunkt-Answered-By")},
    }
    return made


def _post(service: Service, takes: Schema, answers: Schema) -> dict[str, Any]:
    made = operation(service, "call")
    made["requestBody"] = {"required": True, "content": {"application/json": {"schema": takes}}}
    made["responses"]["200"] = {"description": "The answer.", "content": {"application/json": {"schema": answers}}}
    return made


def _written(service: Service, dataset: Dataset, method: str) -> dict[str, Any]:
    made = operation(service, method)
    record = reference("schemas", dataset.id)
    made["summary"] = f"{service.title['en']}: {_WRITES[method]}"
    made["parameters"] += [
        {
            "name": "If-Match",
            "in": "header",
            "schema": TEXT,
            "description": "The ETag of the record as it was looked up.",
        }
    ]
    key = key_schema(dataset)
    if method == "delete":
        takes = closed({"key": key})
    else:
        fields: dict[str, Schema] = {each.name: {} for each in dataset.columns if each.derived is None}
        if method == "put":
            made["parameters"].append(
                {
                    "name": "If-None-Match",
                    "in": "header",
                    "schema": {"const": "*"},
                    "description": "Make a new one only.",
                }
            )
        takes = closed({"key": key, "record": closed(fields, ())})
    made["requestBody"] = {"required": True, "content": {"application/json": {"schema": takes}}}
    answer = closed(
        {
            "record": {"oneOf": [record, {"type": "null"}]},
            "snapshot": {"type": "integer"},
            "service": TEXT,
            "trace": TEXT,
        }
    )
    for status, text in {"200": "The record as it is now.", "201": "The record that was made."}.items():
        made["responses"][status] = {
            "description": text,
            "headers": {"ETag": {"schema": TEXT}},
            "content": {"application/json": {"schema": answer}},
        }
    for status, text in (("412", "Not as it was."), ("422", "Against its contract."), ("428", "Without If-Match.")):
        content = {"application/problem+json": {"schema": reference("schemas", "Problem")}}
        made["responses"][status] = {"description": text, "content": content}
    return made


def _subscriptions(service: Service, dataset: Dataset) -> dict[str, Any]:
    values = {"type": "array", "items": TEXT, "minItems": 1}
    where = {"type": "object", "additionalProperties": values, "description": "Column -> values of rows to be told of."}
    columns = {
        "type": "array",
        "items": {"type": "string", "enum": list(dataset.names)},
        "minItems": 1,
        "description": "Columns whose changes are told; all that the agreement covers when left out.",
    }
    time: Schema = {"type": "string", "format": "date-time"}
    one = closed({"id": TEXT, "where": where, "columns": columns, "cursor": TEXT, "created": time})
    begin, held, end = (operation(service, f"{name}_subscription") for name in ("begin", "list", "end"))
    begin["requestBody"] = _json(closed({"where": where, "columns": columns}, ()))
    begin["responses"]["201"] = {"description": "It begins now.", "content": {"application/json": {"schema": one}}}
    listed = closed({"subscriptions": {"type": "array", "items": one}})
    held["responses"]["200"] = {
        "description": "Those of the system.",
        "content": {"application/json": {"schema": listed}},
    }
    end["requestBody"] = _json(closed({"id": TEXT}))
    end["responses"]["204"] = {"description": "It has ended."}
    return {"post": begin, "get": held, "delete": end}


def _events(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = operation(service, "events")
    made["requestBody"] = _json(
        closed(
            {
                "subscription": TEXT,
                "after": {"type": "string", "description": "`cursor` of the last page: the receipt for what it told."},
                "limit": {"type": "integer", "minimum": 1, "maximum": 1000},
            },
            ("subscription",),
        )
    )
    event = closed(
        {
            "specversion": {"const": "1.0"},
            "id": TEXT,
            "source": TEXT,
            "type": {"enum": [f"dk.knudepunkt.record.{word}" for word in ("inserted", "updated", "deleted")]},
            "dataset": {"const": dataset.id},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": TEXT,
            "data": closed({"key": key_schema(dataset)}),
        }
    )
    page = closed({"events": {"type": "array", "items": event}, "cursor": TEXT, "more": _BOOLEAN})
    made["responses"]["200"] = {
        "description": "A page of events (CloudEvents 1.0), at least once each.",
        "content": {"application/json": {"schema": page}},
    }
    made["responses"]["410"] = reference("responses", "Refused410")
    return made


def _json(schema: Schema) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _joined() -> Schema:
    part = {"type": "object", "description": "The step's service, who answered, and of a mirror the snapshot."}
    return closed(
        {
            "answer": {"description": "Joined from the steps, as the service declares."},
            "parts": {"type": "object", "additionalProperties": part},
            "failures": {"type": "object", "additionalProperties": TEXT, "description": "Step -> code."},
            "trace": TEXT,
        }
    )
