"""The body of a search, as JSON Schema. Pure: what api/rest/search.py reads."""

from typing import Any

from api.rest.components import TEXT
from api.rest.record_schema import Schema
from replica import MOST_ROWS
from schemas import Service

_VALUE: Schema = {"type": ["string", "number", "boolean"]}
_TESTS: dict[str, Schema] = {
    **dict.fromkeys(("eq", "lt", "le", "gt", "ge"), _VALUE),
    "in": {"type": "array", "items": _VALUE, "minItems": 1},
    "prefix": TEXT,
    "null": {"type": "boolean"},
}


def search_schema(service: Service, common: dict[str, Schema]) -> Schema:
    """common   properties that other bodies have too"""
    condition = {
        "type": "object",
        "properties": {"column": {"type": "string", "enum": list(service.search)}, **_TESTS},
        "required": ["column"],
        "minProperties": 2,
        "additionalProperties": False,
    }
    names = [f"{sign}{name}" for name in service.search for sign in ("", "-")]
    properties: dict[str, Schema] = {
        "where": {
            "type": "array",
            "items": condition,
            "maxItems": 20,
            "description": "Conditions, all of which must hold. Through a list, any of its elements may meet one.",
        },
        "sort": {
            "type": "array",
            "items": {"type": "string", "enum": names},
            "maxItems": 5,
            "description": "Columns to sort by, `-` before a name for largest first; the key decides between equals.",
        },
        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": 50},
        "cursor": {"type": "string", "description": "`next` of the page before, with the same search."},
    }
    return {"type": "object", "properties": {**properties, **common}, "additionalProperties": False}


def search_example(service: Service) -> dict[str, Any]:
    return {"where": [{"column": service.search[0], "null": False}], "limit": 10}
