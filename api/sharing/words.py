"""The protocol's words for a table: Delta's schema, and the lines of answers. Pure."""

import json
from datetime import datetime
from typing import Any, Final

import orjson
import pyarrow as pa

from extract import ExtractPlan, Manifest
from schemas import Dataset, Service

VERSION_HEADER: Final = b"delta-table-version"
_SIMPLE: Final = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int64, "long"),
    (pa.types.is_integer, "integer"),
    (pa.types.is_floating, "double"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_binary, "binary"),
)


def delta_type(kind: pa.DataType) -> Any:
    """An Arrow type in Delta's schema."""
    if pa.types.is_struct(kind):
        return {"type": "struct", "fields": [_field(kind.field(at)) for at in range(kind.num_fields)]}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return {"type": "array", "elementType": delta_type(kind.value_type), "containsNull": True}
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return next((name for fits, name in _SIMPLE if fits(kind)), "string")


def head_lines(service: Service, dataset: Dataset, plan: ExtractPlan) -> list[dict[str, Any]]:
    """What every answer about a table begins with: the protocol, and what the table is."""
    fields = [_field(dataset.arrow.field(name)) for name in plan.columns]
    meta = {
        "id": service.uuid,
        "name": service.name,
        "description": service.description["en"],
        "format": {"provider": "parquet"},
        "schemaString": json.dumps({"type": "struct", "fields": fields}),
        "partitionColumns": [],
        "configuration": {"enableChangeDataFeed": "true"},
        "version": plan.snapshot,
    }
    return [{"protocol": {"minReaderVersion": 1}}, {"metaData": meta}]


def file_fields(url: str, expires: int, plan: ExtractPlan, size_bytes: int) -> dict[str, Any]:
    return {
        "url": url,
        "id": plan.id,
        "partitionValues": {},
        "size": size_bytes,
        "version": plan.snapshot,
        "timestamp": milliseconds(plan.published),
        "expirationTimestamp": expires * 1_000,
    }


def with_stats(fields: dict[str, Any], manifest: Manifest) -> dict[str, Any]:
    return fields | {"stats": json.dumps({"numRecords": manifest.rows})}


def lines_of(values: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in values)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


def _field(field: pa.Field) -> dict[str, Any]:
    # Rows of change feeds that were deleted have their key alone, so anything may be missing.
    return {"name": field.name, "type": delta_type(field.type), "nullable": True, "metadata": {}}
