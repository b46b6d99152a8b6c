"""The administration's part of the OpenAPI document, made from the table and from the types that are sent."""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from api.rest.admin.me import MySystem, MyUser
from api.rest.admin.pages import FEW, MOST
from api.rest.admin.table import ROUTES, AdminRoute
from api.rest.components import TEXT, reference
from api.rest.kept_answers import HEADER

_REF: Final = "#/components/schemas/{name}"
_TAG: Final = "administration"
_ETAG: Final = {"schema": TEXT, "description": "The version of the thing; send it in If-Match."}


def admin_paths() -> dict[str, Any]:
    paths: dict[str, Any] = {"/v1/me": {"get": _me()}}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return paths


def admin_schemas() -> dict[str, Any]:
    _, components = msgspec.json.schema_components(list(_types()), ref_template=_REF)
    return components


def _types() -> Iterator[Any]:
    yield from (MySystem, MyUser)
    for route in ROUTES:
        if route.gives is not None:
            yield route.gives
        if route.takes is not None:
            yield route.takes


def _operation(route: AdminRoute) -> dict[str, Any]:
    refused = ["400", "401", "403", "404", "405", "409", "429", "500", "503"]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": TEXT}
        for name in re.findall(r"\{([a-z]+)\}", route.path)
    ]
    if route.many:
        parameters += [
            _parameter("cursor", "query", TEXT, "`next` of the page before."),
            _parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": MOST, "default": FEW}, ""),
        ]
    parameters += [_parameter(name, "query", TEXT, says) for name, says in route.query]
    made: dict[str, Any] = {"operationId": f"admin_{route.name}", "tags": [_TAG], "summary": route.says}
    made["security"] = [{}, {"employee": []}] if route.open else [{"employee": []}]
    if route.method == "POST":
        parameters.append(
            _parameter(
                HEADER, "header", TEXT, "The same request with the same key is carried out once, within two days."
            )
        )
        refused.append("422")
    if route.takes is not None:
        refused += ["413", "415"]
        schema = {"$ref": _REF.format(name=route.takes.__name__)}
        needed = route.takes.__struct_fields__ != () and bool(_needed(route.takes))
        made["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    if route.method == "PATCH":
        parameters.append(
            _parameter("If-Match", "header", TEXT, "The ETag as it was read, or `*`.") | {"required": True}
        )
        refused += ["412", "428"]
    if parameters:
        made["parameters"] = parameters
    made["responses"] = {"201" if route.makes else "200": _answer(route)} | {
        each: reference("responses", f"Refused{each}") for each in sorted(refused)
    }
    return made


def _answer(route: AdminRoute) -> dict[str, Any]:
    if route.media:
        return _file(route)
    schema: dict[str, Any] = {"$ref": _REF.format(name=route.gives.__name__)}
    headers: dict[str, Any] = {"Knudepunkt-Trace": reference("headers", "Knudepunkt-Trace")}
    if route.many:
        cursor = {"type": ["string", "null"], "description": "Cursor of the next page; null on the last."}
        schema = {
            "type": "object",
            "properties": {"items": {"type": "array", "items": schema}, "next": cursor},
            "required": ["items", "next"],
            "additionalProperties": False,
        }
    else:
        headers["ETag"] = _ETAG
    if route.makes:
        headers["Location"] = {"schema": TEXT, "description": "Where it can be read."}
    return {"description": route.says, "headers": headers, "content": {"application/json": {"schema": schema}}}


def _file(route: AdminRoute) -> dict[str, Any]:
    described = {"schema": TEXT, "description": "SHA-256 of what is enforced; stands in every ledger line."}
    return {
        "description": route.says,
        "headers": {"Knudepunkt-Trace": reference("headers", "Knudepunkt-Trace"), "Knudepunkt-Terms-Hash": described},
        "content": {each: {} for each in route.media},
    }


def _me() -> dict[str, Any]:
    schema = {"oneOf": [{"$ref": _REF.format(name=each.__name__)} for each in (MySystem, MyUser)]}
    return {
        "operationId": "me",
        "tags": [_TAG],
        "security": [{"certificate": []}, {"employee": []}],
        "summary": "Who am I here, what may I do, and what is left?",
        "responses": {
            "200": {"description": "The system or the user.", "content": {"application/json": {"schema": schema}}},
            **{each: reference("responses", f"Refused{each}") for each in ("400", "401", "403", "500", "503")},
        },
    }


def _parameter(name: str, where: str, schema: dict[str, Any], says: str) -> dict[str, Any]:
    return {"name": name, "in": where, "schema": schema} | ({"description": says} if says else {})


def _needed(kind: Any) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(kind) if field.required)
