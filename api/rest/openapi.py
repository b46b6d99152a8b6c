"""GET /openapi.json: OpenAPI 3.1, made from the contracts, one path for each service and operation."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from api.answer import Answer
from api.doors import Doors
from api.request import MOST_BODY_BYTES, Request
from api.rest.admin import admin_paths, admin_schemas
from api.rest.components import STAMPS, TEXT, reference, shared_components, shared_schemas
from api.rest.live_openapi import live_paths
from api.rest.record_schema import Schema, key_example, key_schema, record_schema
from api.rest.search_schema import search_example, search_schema
from extract import Compression, Format
from kernel import Operation
from schemas import Dataset, Registers, Service


def document(registers: Registers, version: str) -> dict[str, Any]:
    """The whole OpenAPI document. Pure: the same registers always give the same document."""
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
            paths[f"{base}/extract"] = {"get": _extract(service, dataset)}
            paths[f"{base}/extract.xsd"] = {"get": _xml_schema(service)}
            paths[f"{base}/files/{{name}}.manifest.json"] = {"get": _manifest(service)}
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
        "paths": {**_public_paths(), **paths, **admin_paths()},
        "components": {
            **shared_components(),
            "schemas": {**records, **shared_schemas(), **admin_schemas()},
        },
    }


MOMENT: dict[str, Schema] = {
    "as_of": {"type": "string", "format": "date-time", "description": "Answer from the mirror as it was then."},
    "snapshot": {"type": "integer", "minimum": 1, "description": "Answer from this snapshot of the mirror."},
}


_DELTA: dict[str, Schema] = {
    "since": {"type": "string", "description": "Only what has changed since the extract with this cursor."},
    "otherwise": {"type": "string", "enum": ["full"], "description": "Take all of it when a delta is not possible."},
}


def serve(doors: Doors) -> Callable[[Doors, Request], Awaitable[Answer]]:
    """The route; the document is made once."""
    body = orjson.dumps(document(doors.registers, doors.version))

    async def openapi(doors: Doors, request: Request) -> Answer:
        del doors
        request.parameters()
        return Answer(200, [(b"content-type", b"application/json"), (b"cache-control", b"no-cache")], body)

    return openapi


def _operation(service: Service, operation: str, summary: str, refusals: tuple[int, ...]) -> dict[str, Any]:
    return {
        "operationId": f"{operation}_{service.name.replace('-', '_')}",
        "tags": [service.name],
        "summary": f"{service.title['en']}: {summary}",
        "description": f"{service.description['en']}\n\n{service.terms}",
        "parameters": [reference("parameters", name) for name in ("Agreement", "Municipality")],
        "responses": {str(status): reference("responses", f"Refused{status}") for status in refusals},
    }


def _lookup(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = _operation(service, "lookup", "one record or many", (400, 401, 403, 404, 410, 413, 415, 500, 503))
    key, columns = key_schema(dataset), _columns(dataset)
    example = key_example(dataset)
    common = {"columns": columns, **MOMENT}
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
    made = _operation(service, "search", "records that meet conditions", (400, 401, 403, 410, 413, 415, 500, 503))
    schema = search_schema(service, {"columns": _columns(dataset), **MOMENT})
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
    made = _operation(service, "record", "one record by a public key", (400, 401, 403, 404, 500, 503))
    key = {
        "name": "key",
        "in": "path",
        "required": True,
        "schema": key_schema(dataset),
        "example": key_example(dataset),
    }
    made["parameters"] += [key, _columns_parameter(dataset)]
    made["responses"]["200"] = _ok("The record.", _one(service, dataset))
    return made


def _extract(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = _operation(service, "extract", "the whole dataset as a file", (400, 401, 403, 404, 410, 416, 500, 503))
    kinds = {"name": "format", "in": "query", "schema": {"type": "string", "enum": list(Format), "default": Format.CSV}}
    packing = {"name": "compression", "in": "query", "schema": {"type": "string", "enum": list(Compression)}}
    made["parameters"] += [kinds, packing, _columns_parameter(dataset)]
    queries = {**MOMENT, **_DELTA}
    made["parameters"] += [{"name": name, "in": "query", "schema": schema} for name, schema in queries.items()]
    made["parameters"] += [
        {"name": name, "in": "header", "schema": TEXT, "description": text}
        for name, text in (
            ("Range", "One range of bytes, when the file is ready (RFC 9110)."),
            ("If-Range", "The ETag that the range belongs to."),
            ("If-None-Match", "The ETag of the file that the caller has."),
        )
    ]
    types = [each.media_type for each in (*Format, *Compression)]
    content: dict[str, Any] = {kind.partition(";")[0]: {} for kind in types if kind}
    extra: dict[str, Any] = {
        name: {"schema": TEXT, "description": text}
        for name, text in (
            ("Content-Disposition", "The file's name."),
            ("Link", "The manifest, with relation `describedby`; there once the file has been received."),
            ("ETag", "The SHA-256 of the file; only when the file is ready."),
            ("Accept-Ranges", "`bytes`, when the file is ready."),
            ("Repr-Digest", "The SHA-256 of the whole file (RFC 9530), when it is ready."),
            (
                "Knudepunkt-Extract",
                "`full`, or `delta`: what changed since the cursor, with the column `_operation`.",
            ),
            ("Knudepunkt-Cursor", "What to send as `since` next time; absent when the key is not among the columns."),
            ("Knudepunkt-Full-Because", "Why it is full although `since` was there: the code of the refusal."),
            ("Knudepunkt-Corrections", "Snapshots within the delta that went back to an earlier state."),
        )
    }
    file = {"content": content, "headers": {**_stamped(), **extra}}
    made["responses"]["200"] = {
        "description": "The file; streamed as it is written when nobody has asked for it before. "
        "A file that does not come to its end is cut, never ended.",
        **file,
    }
    made["responses"]["206"] = {"description": "The range of the file that was asked for.", **file}
    made["responses"]["304"] = {"description": "The caller has the file already."}
    return made


def _xml_schema(service: Service) -> dict[str, Any]:
    made = _operation(service, "xsd", "schema of XML extracts", (400, 401, 403, 404, 500, 503))
    made["responses"]["200"] = {"description": "XML Schema 1.0 of all columns.", "content": {"application/xml": {}}}
    return made


def _manifest(service: Service) -> dict[str, Any]:
    made = _operation(service, "manifest", "what a file holds", (400, 401, 403, 404, 500, 503))
    made["parameters"].append({"name": "name", "in": "path", "required": True, "schema": TEXT})
    made["responses"]["200"] = {
        "description": "Rows, bytes, SHA-256, snapshot and columns of a file that the agreement has received.",
        "content": {"application/json": {"schema": reference("schemas", "Manifest")}},
        "headers": {"Knudepunkt-Trace": reference("headers", "Knudepunkt-Trace")},
    }
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


def _columns(dataset: Dataset) -> Schema:
    return {
        "type": "array",
        "items": {"type": "string", "enum": list(dataset.names)},
        "minItems": 1,
        "description": "Columns to answer with; all that the agreement covers when left out.",
    }


def _columns_parameter(dataset: Dataset) -> dict[str, Any]:
    schema = _columns(dataset)
    return {"name": "columns", "in": "query", "style": "form", "explode": False, "schema": schema}


def _ok(description: str, schema: Schema) -> dict[str, Any]:
    return {
        "description": description,
        "headers": _stamped(),
        "content": {"application/json": {"schema": schema}},
    }


def _stamped() -> dict[str, Any]:
    return {name: reference("headers", name) for name in STAMPS}


def _public_paths() -> dict[str, Any]:
    def public(operation: str, summary: str, statuses: dict[str, str]) -> dict[str, Any]:
        content = {"application/json": {"schema": {"type": "object"}}}
        responses = {status: {"description": text, "content": content} for status, text in statuses.items()}
        return {"get": {"operationId": operation, "summary": summary, "security": [], "responses": responses}}

    status = public("status", "For operators: how every mirrored dataset is", {"200": "Every dataset."})
    del status["get"]["security"]
    status["get"]["responses"] |= {each: reference("responses", f"Refused{each}") for each in ("401", "403", "503")}
    one = public("service", "One service", {"200": "The service."})
    one["get"]["parameters"] = [{"name": "service", "in": "path", "required": True, "schema": TEXT}]
    one["get"]["responses"]["404"] = reference("responses", "Refused404")
    return {
        "/v1/catalogue": public("services", "The catalogue", {"200": "All services."}),
        "/v1/catalogue/{service}": one,
        "/v1/operations/status": status,
        "/health/live": public("live", "Whether the process answers", {"200": "It does."}),
        "/health/ready": public("ready", "Whether it can work", {"200": "It can.", "503": "It cannot; see `checks`."}),
    }
