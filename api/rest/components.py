"""What all operations in the OpenAPI document share: headers, parameters, refusals, the problem document."""

from typing import Any, Final

from api.rest.record_schema import Schema
from api.visit import AGREEMENT, MUNICIPALITY

TEXT: Final[Schema] = {"type": "string"}
STAMPS: Final[dict[str, tuple[Schema, str]]] = {
    "Knudepunkt-Snapshot": ({"type": "integer"}, "The version of the mirror that answered (RFC 9651 Integer)."),
    "Knudepunkt-As-Of": (
        {"type": "string", "pattern": "^@[0-9]+$"},
        "The source's own time for its data (RFC 9651 Date: @ and seconds since 1970).",
    ),
    "Age": ({"type": "integer", "minimum": 0}, "Seconds since that time (RFC 9111)."),
    "Knudepunkt-Trace": (
        {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "The call's trace id; taken from `traceparent` (W3C Trace Context) when the request has one.",
    ),
}
_BY: Final = (
    "Who answered: source, replica, stub or platform (RFC 9651 Token). Its parameter `why` says what kept the source "
    "from answering."
)
_REFUSALS: Final[dict[int, str]] = {
    400: "The request cannot be understood, or several agreements could carry it.",
    401: "The caller is not known: no certificate, or one that is expired, revoked or bound to no system.",
    403: "No live agreement carries the call, or it does not cover the columns.",
    404: "There is no such thing.",
    405: "The path does not take this method.",
    409: "It does not fit with what is there, or somebody else came first.",
    410: "The mirror does not keep what it held then.",
    412: "The thing has changed since it was read.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    416: "The file does not have that range.",
    422: "The idempotency key was used for another request.",
    428: "The change does not say what it was made from.",
    429: "Too often; `retry_after` says when.",
    500: "A fault of ours.",
    502: "The source cannot be reached, failed, or gave an answer that cannot be used.",
    504: "The source did not answer in time.",
    503: "Not just now; `retry_after` says when.",
}


def shared_components() -> dict[str, Any]:
    """Components that are the same for every service, but for the schemas."""
    headers = STAMPS | {"Knudepunkt-Answered-By": (TEXT, _BY)}
    return {
        "headers": {name: {"schema": schema, "description": text} for name, (schema, text) in headers.items()},
        "parameters": _parameters(),
        "responses": {f"Refused{status}": _refusal(status, text) for status, text in _REFUSALS.items()},
        "securitySchemes": {
            "certificate": {"type": "mutualTLS", "description": "An OCES organisation or system certificate."},
            "employee": {
                "type": "mutualTLS",
                "description": "An OCES employee certificate that is bound to a user: for administration.",
            },
        },
    }


def reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _parameters() -> dict[str, Any]:
    text = "A convention of this platform. Needed only when the system has several agreements for the service."
    return {
        "Agreement": {
            "name": AGREEMENT,
            "in": "header",
            "description": f"The agreement that the call is made under. {text}",
            "schema": {"type": "string", "format": "uuid"},
        },
        "Municipality": {
            "name": MUNICIPALITY,
            "in": "header",
            "description": f"CVR number of the municipality under whose agreement the call is made. {text}",
            "schema": {"type": "string", "pattern": "^[0-9]{8}$"},
        },
    }


def shared_schemas() -> dict[str, Schema]:
    problem = {
        "type": {"type": "string", "format": "uri-reference", "description": "A page about the code."},
        "title": TEXT,
        "status": {"type": "integer"},
        "detail": TEXT,
        "instance": {"type": "string", "description": "urn:trace: and the trace id."},
        "code": {"type": "string", "description": "Stable; the same in the ledger and over SFTP."},
        "remedy": {"type": "string", "description": "What to do next."},
        "rule": {"type": "string", "description": "Which rule decided."},
        "owner": {"type": "string", "description": "Whose rule that is."},
        "retry_after": {"type": "integer", "description": "Seconds."},
        "retry_at": {"type": "string", "format": "date-time"},
    }
    manifest = dict.fromkeys(
        ("plan", "file", "service", "dataset", "format", "schema_hash", "contract_version", "sha256"), TEXT
    )
    counts: dict[str, Schema] = {name: {"type": "integer"} for name in ("snapshot", "rows", "bytes")}
    return {
        "Problem": {
            "type": "object",
            "description": "RFC 9457.",
            "properties": problem,
            "required": ["type", "title", "status", "detail", "instance", "code"],
        },
        "Withheld": {
            "type": "array",
            "items": TEXT,
            "description": "Columns that are null since the person is protected and the agreement keeps them in.",
        },
        "Manifest": {
            "type": "object",
            "properties": {
                **manifest,
                **counts,
                "columns": {"type": "array", "items": TEXT},
                "created": {"type": "string", "format": "date-time"},
            },
            "required": ["plan", "file", "snapshot", "rows", "bytes", "sha256", "columns"],
        },
    }


def _refusal(status: int, text: str) -> dict[str, Any]:
    return {
        "description": text,
        "content": {"application/problem+json": {"schema": reference("schemas", "Problem")}},
    } | ({"headers": {"Retry-After": {"schema": {"type": "integer"}}}} if status == 503 else {})
