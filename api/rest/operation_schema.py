"""What the operations of a service have in common in the OpenAPI document."""

from typing import Any

from api.rest.components import STAMPS, reference
from api.rest.record_schema import Schema
from schemas import Dataset, Service

MOMENT: dict[str, Schema] = {
    "as_of": {"type": "string", "format": "date-time", "description": "Answer from the mirror as it was then."},
    "snapshot": {"type": "integer", "minimum": 1, "description": "Answer from this snapshot of the mirror."},
}


def operation(service: Service, operation: str, summary: str, refusals: tuple[int, ...]) -> dict[str, Any]:
    return {
        "operationId": f"{operation}_{service.name.replace('-', '_')}",
        "tags": [service.name],
        "summary": f"{service.title['en']}: {summary}",
        "description": f"{service.description['en']}\n\n{service.terms}",
        "parameters": [reference("parameters", name) for name in ("Agreement", "Municipality")],
        "responses": {str(status): reference("responses", f"Refused{status}") for status in refusals},
    }


def columns(dataset: Dataset) -> Schema:
    return {
        "type": "array",
        "items": {"type": "string", "enum": list(dataset.names)},
        "minItems": 1,
        "description": "Columns to answer with; all that the agreement covers when left out.",
    }


def columns_parameter(dataset: Dataset) -> dict[str, Any]:
    schema = columns(dataset)
    return {"name": "columns", "in": "query", "style": "form", "explode": False, "schema": schema}


def stamped() -> dict[str, Any]:
    return {name: reference("headers", name) for name in STAMPS}
