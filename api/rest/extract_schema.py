"""The part of the OpenAPI document about extracts: files, extracts that are fetched later, plans."""

from typing import Any, Final

from api.rest.components import TEXT, reference
from api.rest.operation_schema import MOMENT, columns, columns_parameter, operation, stamped
from api.rest.record_schema import Schema
from extract import Compression, Format, Progress, formats_of
from schemas import Dataset, Service

_DELTA: Final[dict[str, Schema]] = {
    "since": {"type": "string", "description": "Only what has changed since the extract with this cursor."},
    "otherwise": {"type": "string", "enum": ["full"], "description": "Take all of it when a delta is not possible."},
}
_REFUSALS: Final = (400, 401, 403, 404, 410, 429, 500, 503)
_JOB: Final = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}}


def extract_paths(service: Service, dataset: Dataset) -> dict[str, Any]:
    base = f"/v1/services/{service.name}"
    return {
        f"{base}/extract": {"get": _extract(service, dataset)},
        f"{base}/extract.xsd": {"get": _xml_schema(service)},
        f"{base}/extract/plan": {"get": _explain(service, dataset)},
        f"{base}/extracts": {"get": _jobs(service), "post": _begin(service, dataset)},
        f"{base}/extracts/{{id}}": {"get": _job(service), "delete": _cancel(service)},
        f"{base}/copy/proof": {"post": _copy(service, dataset, "proof")},
        f"{base}/copy/rows": {"post": _copy(service, dataset, "rows")},
        f"{base}/files": {"get": _files(service)},
        f"{base}/files/{{name}}": {"get": _file(service)},
        f"{base}/files/{{name}}.manifest.json": {"get": _manifest(service)},
        f"{base}/files/{{name}}.manifest.json.sig": {"get": _signature(service)},
    }


def _extract(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = operation(service, "extract", "the whole dataset as a file", (*_REFUSALS, 416))
    made["parameters"] += _queries(dataset)
    made["parameters"] += [
        {"name": name, "in": "header", "schema": TEXT, "description": text}
        for name, text in (
            ("Range", "One range of bytes, when the file is ready (RFC 9110)."),
            ("If-Range", "The ETag that the range belongs to."),
            ("If-None-Match", "The ETag of the file that the caller has."),
            ("Prefer", "`respond-async`: come back for it, unless it is there (RFC 7240)."),
        )
    ]
    types = [each.media_type for each in (*formats_of(dataset), *Compression)]
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
    file = {"content": content, "headers": {**stamped(), **extra}}
    made["responses"]["200"] = {
        "description": "The file; streamed as it is written when nobody has asked for it before. "
        "A file that does not come to its end is cut, never ended.",
        **file,
    }
    made["responses"]["202"] = _begun()
    made["responses"]["206"] = {"description": "The range of the file that was asked for.", **file}
    made["responses"]["304"] = {"description": "The caller has the file already."}
    return made


def _queries(dataset: Dataset) -> list[dict[str, Any]]:
    forms: dict[str, Schema] = {
        "format": {"type": "string", "enum": list(formats_of(dataset)), "default": Format.CSV},
        "compression": {"type": "string", "enum": list(Compression), "default": Compression.NONE},
    }
    found = [{"name": name, "in": "query", "schema": schema} for name, schema in (forms | MOMENT | _DELTA).items()]
    return [*found, columns_parameter(dataset)]


def _xml_schema(service: Service) -> dict[str, Any]:
    made = operation(service, "xsd", "schema of XML extracts", _REFUSALS)
    made["responses"]["200"] = {"description": "XML Schema 1.0 of all columns.", "content": {"application/xml": {}}}
    return made


def _manifest(service: Service) -> dict[str, Any]:
    made = operation(service, "manifest", "what a file holds", _REFUSALS)
    made["parameters"].append({"name": "name", "in": "path", "required": True, "schema": TEXT})
    made["responses"]["200"] = {
        "description": "Rows, bytes, SHA-256, snapshot and columns of a file that the agreement has received.",
        "content": {"application/json": {"schema": reference("schemas", "Manifest")}},
        "headers": {"Knudepunkt-Trace": reference("headers", "Knudepunkt-Trace")},
    }
    return made


def _signature(service: Service) -> dict[str, Any]:
    made = _named(operation(service, "signature", "signature of a manifest", _REFUSALS))
    made["responses"]["200"] = {
        "description": "ECDSA on P-256 with SHA-256, DER, by the key of /.well-known/knudepunkt-signing-key.pem.",
        "content": {"application/octet-stream": {}},
    }
    return made


def _file(service: Service) -> dict[str, Any]:
    made = _named(operation(service, "file", "a file that the agreement has received", (*_REFUSALS, 416)))
    content: dict[str, Any] = {"content": {"application/octet-stream": {}}}
    made["responses"] |= {
        "200": {"description": "The file, with ETag and Repr-Digest.", **content},
        "206": {"description": "The range that was asked for.", **content},
        "304": {"description": "The caller has the file already."},
    }
    return made


def _files(service: Service) -> dict[str, Any]:
    made = operation(service, "files", "the agreement's files", _REFUSALS)
    files = {"type": "object", "properties": {"files": {"type": "array", "items": reference("schemas", "Manifest")}}}
    made["responses"]["200"] = _json("Manifests, by their number.", files)
    return made


def _explain(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = operation(service, "plan", "what an extract would be", _REFUSALS)
    made["parameters"] += _queries(dataset)
    texts: Schema = {"type": "array", "items": TEXT}
    plan: Schema = {
        "type": "object",
        "properties": _plan()
        | {
            "explanation": texts,
            "columns": texts,
            "left_out": {"type": "object", "additionalProperties": {"enum": ["agreement", "not asked for"]}},
            "withheld_from_protected": texts,
            "rows_estimated": {
                "type": ["integer", "null"],
                "description": "Of a delta: at most; null for one of some of the rows.",
            },
            "ready": {"type": "boolean"},
        },
    }
    made["responses"]["200"] = _json("The plan; nothing was made.", plan)
    return made


def _begin(service: Service, dataset: Dataset) -> dict[str, Any]:
    made = operation(service, "begin", "an extract to be fetched later", (*_REFUSALS, 413, 415))
    fields = {each["name"]: each["schema"] for each in _queries(dataset)} | {"columns": columns(dataset)}
    body = {"type": "object", "properties": fields, "additionalProperties": False}
    made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    made["responses"]["202"] = _begun()
    return made


def _begun() -> dict[str, Any]:
    headers: dict[str, Any] = {"Location": {"schema": TEXT}, "Retry-After": {"schema": {"type": "integer"}}}
    return _json("It is being made; its state is at `Location`.", _state()) | {"headers": headers}


def _copy(service: Service, dataset: Dataset, what: str) -> dict[str, Any]:
    bound: Schema = {"type": ["string", "null"]}
    own: dict[str, Schema]
    if what == "proof":
        own = {"part_rows": {"type": "integer", "minimum": 1, "maximum": 10_000}}
        summary, told = "digests of a copy", "A line per part: low, high, rows, sha256; the last one has `end`."
    else:
        own = {"low": bound, "high": bound, "format": {"enum": ["ndjson", "arrow"], "default": "ndjson"}}
        summary, told = "rows between two keys", "The rows, as in an extract of that format."
    made = operation(service, f"copy_{what}", summary, (*_REFUSALS, 413, 415))
    fields: dict[str, Schema] = {"columns": columns(dataset), **MOMENT, **own}
    body: Schema = {"type": "object", "properties": fields, "additionalProperties": False}
    made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    kinds = [Format.NDJSON] if what == "proof" else [Format.NDJSON, Format.ARROW]
    made["responses"]["200"] = {"description": told, "content": {each.media_type: {} for each in kinds}}
    return made


def _jobs(service: Service) -> dict[str, Any]:
    made = operation(service, "extracts", "the agreement's extracts on their way", _REFUSALS)
    found = {"type": "object", "properties": {"extracts": {"type": "array", "items": _state()}}}
    made["responses"]["200"] = _json("Those that are not over, oldest first.", found)
    return made


def _job(service: Service) -> dict[str, Any]:
    made = operation(service, "job", "how far an extract is", _REFUSALS)
    made["parameters"].append(_JOB)
    made["responses"]["200"] = _json("Its state; `file` and `manifest` when it is ready and on the shelf.", _state())
    return made


def _cancel(service: Service) -> dict[str, Any]:
    made = operation(service, "cancel", "end an extract", _REFUSALS)
    made["parameters"].append(_JOB)
    made["responses"]["204"] = {"description": "It is ended."}
    return made


def _state() -> Schema:
    number: Schema = {"type": "integer"}
    moment: Schema = {"type": "string", "format": "date-time"}
    return {
        "type": "object",
        "properties": _plan() | {
            "id": TEXT, "state": {"enum": list(Progress)}, "rows": number, "bytes": number,
            "rows_expected": {"type": ["integer", "null"]}, "created": moment, "expires": moment,
            "file": TEXT, "manifest": TEXT, "sha256": TEXT, "not_on_shelf_because": TEXT,
        },
    }  # fmt: skip


def _plan() -> dict[str, Schema]:
    maybe: Schema = {"type": ["string", "null"]}
    return {
        "service": TEXT, "kind": {"enum": ["full", "delta"]}, "full_because": maybe, "format": {"enum": list(Format)},
        "compression": {"enum": list(Compression)}, "snapshot": {"type": "integer"}, "since": maybe, "cursor": maybe,
        "file_name": TEXT,
    }  # fmt: skip


def _named(made: dict[str, Any]) -> dict[str, Any]:
    made["parameters"].append({"name": "name", "in": "path", "required": True, "schema": TEXT})
    return made


def _json(description: str, schema: Schema) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
