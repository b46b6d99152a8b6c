"""GET /openapi.json: OpenAPI 3.1, made from the contracts, one path for each service and operation."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from api.answer import Answer
from api.doors import Doors
from api.request import MOST_BODY_BYTES, Request
from api.rest.admin import admin_paths, admin_schemas
from api.rest.components import TEXT, reference, shared_components, shared_schemas
from api.rest.delivery_openapi import delivery_paths, delivery_schemas, service_paths
from api.rest.explain import explain_path
from api.rest.extract_schema import extract_paths
from api.rest.live_openapi import live_paths
from api.rest.operation_schema import MOMENT, columns, columns_parameter, operation, stamped
from api.rest.record_schema import Schema, key_example, key_schema, record_schema
from api.rest.search_schema import search_example, search_schema
from api.rest.sharing_tokens import token_paths
from api.tokens.openapi import exchange_paths
from extract import CIRCLE_KEY
from kernel import Operation
from schemas import Dataset, Registers, Service


def document(registers: Registers, version: str, *, tokens: bool = False) -> dict[str, Any]:
    """The whole OpenAPI document. Pure: the same registers always give the same document.

    tokens   whether SAML tokens are exchanged here
    """
    paths: dict[str, Any] = {}
    records: dict[str, Schema] = {}
    for service in registers.services:
        if service.live is not None:
            held = None if service.dataset is None else registers.dataset(service.dataset)
            paths |= live_paths(service, held)
            if held is not None:
                records[held.id] = record_schema(held)
            continue
        if service.dataset is None:
            continue
        dataset = registers.dataset(service.dataset)
        records[dataset.id] = record_schema(dataset)
        base = f"/v1/services/{service.name}"
        if Operation.LOOKUP in service.operations:
            paths[f"{base}/lookup"] = {"post": _lookup(service, dataset)}
        if Operation.RECORD in service.operations:
            paths[f"{base}/records/{{key}}"] = {"get": _record(service, dataset)}
        if Operation.SEARCH in service.operations:
            paths[f"{base}/search"] = {"post": _search(service, dataset)}
        if Operation.EXTRACT in service.operations:
            paths |= extract_paths(service, dataset)
            paths |= service_paths(service, circle=dataset.key == CIRCLE_KEY)
    return {
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Knudepunkt",
            "version": version,
            "description": "Public registers for Danish municipalities and their suppliers. Data is handed to systems "
            "that show a client certificate, under an agreement that a municipality has approved. Keep connections: "
            "a new one costs twenty times what a call costs.",
        },
        "servers": [{"url": "/"}],
        "security": [{"certificate": []}],
        "paths": {
            **_public_paths(),
            **paths,
            **admin_paths(),
            **delivery_paths(),
            **token_paths(),
            **explain_path(),
            **(exchange_paths() if tokens else {}),
        },
        "components": {
            **shared_components(),
            "schemas": {**records, **shared_schemas(), **admin_schemas(), **delivery_schemas()},
        },
    }


def serve(doors: Doors) -> Callable[[Doors, Request], Awaitable[Answer]]:
    """The route; the document is made once."""
    body = orjson.dumps(document(doors.registers, doors.version, tokens=doors.tokens is not None))

    async def openapi(doors: Doors, request: Request) -> Answer:
        del doors
        request.parameters()
        return Answer(200, [(b"content-type", b"application/json"), (b"cache-control", b"no-cache")], body)

    return openapi


def _lookup(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = operation(service, "lookup", "one record or many", (400, 401, 403, 404, 410, 413, 415, 500, 503))
    key, chosen = key_schema(dataset), columns(dataset)
    example = key_example(dataset)
    common = {"columns": chosen, **MOMENT}
    one = {"type": "object", "properties": {"key": key, **common}, "required": ["key"]}
    keys = {"type": "array", "items": key, "minItems": 1}
    many = {"type": "object", "properties": {"keys": keys, **common}, "required": ["keys"]}
    made["requestBody"] = {
        "required": True,
        "description": f"At most {MOST_BODY_BYTES} bytes; the agreement limits the number of keys.",
        "content": {
            "application/json": {
                "schema": {"oneOf": [{**each, "additionalProperties": False} for each in (one, many)]},
                "examples": {
                    "one": {"summary": "One record", "value": {"key": example}},
                    "many": {"summary": "Many records", "value": {"keys": [example], "columns": [dataset.key]}},
                },
            }
        },
    }
    schema = {"oneOf": [_one(service, dataset), _many(service, dataset)]}
    made["responses"]["200"] = _ok("The record, or those of the records that there are.", schema)
    return made


def _search(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = operation(service, "search", "records that meet conditions", (400, 401, 403, 410, 413, 415, 500, 503))
    schema = search_schema(service, {"columns": columns(dataset), **MOMENT})
    made["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": schema, "examples": {"search": {"value": search_example(service)}}}},
    }
    found = _many(service, dataset)["properties"]
    answer = _object({name: each for name, each in found.items() if name != "missing"})
    answer["properties"]["next"] = {"type": "string", "description": "Cursor; absent at the end."}
    made["responses"]["200"] = _ok("A page of records.", answer)
    return made


def _record(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = operation(service, "record", "one record by a public key", (400, 401, 403, 404, 500, 503))
    key = {
        "name": "key",
        "in": "path",
        "required": True,
        "schema": key_schema(dataset),
        "example": key_example(dataset),
    }
    made["parameters"] += [key, columns_parameter(dataset)]
    made["responses"]["200"] = _ok("The record.", _one(service, dataset))
    return made


def _one(service: Service, dataset: Dataset) -> Schema:
    record = reference("schemas", dataset.id)
    return _object({"record": record, "withheld": reference("schemas", "Withheld"), **_provenance(service)})


def _many(service: Service, dataset: Dataset) -> Schema:
    entry = {
        "key": key_schema(dataset),
        "record": reference("schemas", dataset.id),
        "withheld": reference("schemas", "Withheld"),
    }
    records = {"type": "array", "items": _object(entry)}
    missing = {
        "type": "array",
        "items": TEXT,
        "description": "Keys without a record, and keys of records that the agreement does not cover.",
    }
    return _object({"records": records, "missing": missing, **_provenance(service)})


def _provenance(service: Service) -> dict[str, Schema]:
    return {
        "service": {"const": service.name},
        "snapshot": {"type": "integer"},
        "as_of": {"type": "string", "format": "date-time"},
        "trace": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    }


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _ok(description: str, schema: Schema) -> dict[str, Any]:
    return {
        "description": description,
        "headers": stamped(),
        "content": {"application/json": {"schema": schema}},
    }


def _public_paths() -> dict[str, Any]:
    def public(operation: str, summary: str, statuses: dict[str, str]) -> dict[str, Any]:
        content = {"application/json": {"schema": {"type": "object"}}}
        responses = {status: {"description": text, "content": content} for status, text in statuses.items()}
        return {"get": {"operationId": operation, "summary": summary, "security": [], "responses": responses}}

    status = public("status", "For operators: how every mirrored dataset is", {"200": "Every dataset."})
    metrics = public("metrics", "For operators' Prometheus: how the platform is, in numbers", {"200": "Every metric."})
    texts = ("application/openmetrics-text", "text/plain")
    metrics["get"]["responses"]["200"]["content"] = {each: {"schema": TEXT} for each in texts}
    for each in (status, metrics):
        del each["get"]["security"]
        each["get"]["responses"] |= {code: reference("responses", f"Refused{code}") for code in ("401", "403", "503")}
    key = public("signing_key", "The key that manifests and agreements are signed with", {"200": "A public key, PEM."})
    key["get"]["responses"]["200"]["content"] = {"application/x-pem-file": {"schema": TEXT}}
    one = public("service", "One service", {"200": "The service."})
    one["get"]["parameters"] = [{"name": "service", "in": "path", "required": True, "schema": TEXT}]
    one["get"]["responses"]["404"] = reference("responses", "Refused404")
    return {
        "/v1/catalogue": public("services", "The catalogue", {"200": "All services."}),
        "/v1/catalogue/{service}": one,
        "/v1/operations/status": status,
        "/metrics": metrics,
        "/v1/decisions/{trace}": _decision(),
        "/.well-known/knudepunkt-signing-key.pem": key,
        "/health/live": public("live", "Whether the process answers", {"200": "It does."}),
        "/health/ready": public("ready", "Whether it can work", {"200": "It can.", "503": "It cannot; see `checks`."}),
    }


def _decision() -> dict[str, Any]:
    trace: Schema = {"type": "string", "pattern": "^[0-9a-f]{32}$"}
    lines: Schema = {"type": "array", "items": {"type": "object"}, "minItems": 1}
    told = {"type": "object", "properties": {"decisions": lines, "trace": trace}, "required": ["decisions", "trace"]}
    answer = {"description": "Its lines of the ledger.", "content": {"application/json": {"schema": told}}}
    refusals = {code: reference("responses", f"Refused{code}") for code in ("400", "401", "403", "404", "503")}
    made: dict[str, Any] = {
        "operationId": "decision",
        "summary": "What was decided about a call, by which rule, for those whom it concerns",
        "parameters": [{"name": "trace", "in": "path", "required": True, "schema": trace}],
        "responses": {"200": answer, **refusals},
    }
    return {"get": made}
