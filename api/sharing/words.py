"""The protocol's words for a table: Delta's schema, and the lines of answers. Pure."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import orjson
import pyarrow as pa

from api.sharing.capabilities import ResponseFormat
from extract import ExtractPlan
from schemas import Dataset, Service

Line = dict[str, Any]
FileKind = Literal["file", "add", "cdf"]
"""Of a table as it is; of a table that is all new; of what has changed."""

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
_DELTA_PROTOCOL: Final[Line] = {"minReaderVersion": 1, "minWriterVersion": 4}
"""Writers of version 4 write change feeds."""
_DELTA_PROTOCOL_WITHOUT_ZONE: Final[Line] = {
    "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timestampNtz"],
    "writerFeatures": ["timestampNtz", "changeDataFeed"],
}  # fmt: skip


def delta_type(kind: pa.DataType, form: ResponseFormat = ResponseFormat.PARQUET) -> Any:
    """An Arrow type in Delta's schema."""
    if pa.types.is_struct(kind):
        return {"type": "struct", "fields": [_field(kind.field(at), form) for at in range(kind.num_fields)]}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return {"type": "array", "elementType": delta_type(kind.value_type, form), "containsNull": True}
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_timestamp(kind) and form is ResponseFormat.DELTA:
        # A register's times have no zone. Delta's own library tells the two apart; the older form knows one word.
        return "timestamp_ntz"
    return next((name for fits, name in _SIMPLE if fits(kind)), "string")


@dataclass(frozen=True, slots=True)
class Words:
    """The lines of answers about one table, in the form that the client reads."""

    service: Service
    dataset: Dataset
    form: ResponseFormat

    def head(self, plan: ExtractPlan, since: int | None = None) -> list[Line]:
        """What every answer begins with: the protocol, and what the table is.

        since   the version from which on this is so; None for the plan's own
        """
        fields = [_field(self.dataset.arrow.field(name), self.form) for name in plan.columns]
        version = plan.snapshot if since is None else since
        meta: Line = {
            "id": self.service.uuid, "name": self.service.name, "description": self.service.description["en"],
            "format": {"provider": "parquet"}, "schemaString": json.dumps({"type": "struct", "fields": fields}),
            "partitionColumns": [],
        }  # fmt: skip
        if self.form is ResponseFormat.PARQUET:
            more = {"configuration": {"enableChangeDataFeed": "true"}, "version": version}
            return [{"protocol": {"minReaderVersion": 1}}, {"metaData": meta | more}]
        timed = any(pa.types.is_timestamp(each) for each in _leaves(self.dataset, plan.columns))
        protocol = _DELTA_PROTOCOL_WITHOUT_ZONE if timed else _DELTA_PROTOCOL
        meta |= {
            "format": {"provider": "parquet", "options": {}},
            "configuration": {"delta.enableChangeDataFeed": "true"},
            "createdTime": milliseconds(plan.published),
        }
        return [{"protocol": {"deltaProtocol": protocol}}, {"metaData": {"version": version, "deltaMetadata": meta}}]

    def file(self, kind: FileKind, url: str, expires: int, plan: ExtractPlan, size_bytes: int, rows: int) -> Line:
        """One file. expires   seconds since 1970"""
        stats = {} if kind == "cdf" else {"stats": json.dumps({"numRecords": rows})}
        of_file = {
            "id": plan.id, "version": plan.snapshot, "timestamp": milliseconds(plan.published),
            "expirationTimestamp": expires * 1_000,
        }  # fmt: skip
        if self.form is ResponseFormat.PARQUET:
            return {kind: of_file | {"url": url, "partitionValues": {}, "size": size_bytes} | stats}
        action: Line = {"path": url, "partitionValues": {}, "size": size_bytes, "dataChange": kind != "cdf"} | stats
        if kind != "cdf":
            action["modificationTime"] = milliseconds(plan.published)
        return {"file": of_file | {"deltaSingleAction": {"cdc" if kind == "cdf" else "add": action}}}


def end_line(refresh: str | None, expires: int | None) -> Line:
    """The last line of an answer that is whole.

    refresh   with which a query is asked for new addresses of the same file
    expires   the first time at which an address of the answer is over, seconds since 1970
    """
    said: Line = {} if refresh is None else {"refreshToken": refresh}
    if expires is not None:
        said["minUrlExpirationTimestamp"] = expires * 1_000
    return {"endStreamAction": said}


def lines_of(values: list[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in values)


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000)


def _leaves(dataset: Dataset, columns: Iterable[str]) -> Iterator[pa.DataType]:
    """The types of values, whatever they are nested in."""
    kinds = [dataset.arrow.field(name).type for name in columns]
    while kinds:
        kind = kinds.pop()
        if pa.types.is_nested(kind):
            kinds += [kind.field(at).type for at in range(kind.num_fields)]
        else:
            yield kind


def _field(field: pa.Field, form: ResponseFormat) -> dict[str, Any]:
    # Rows of change feeds that were deleted have their key alone, so anything may be missing.
    return {"name": field.name, "type": delta_type(field.type, form), "nullable": True, "metadata": {}}
