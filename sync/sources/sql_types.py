"""PostgreSQL's types as Arrow's."""

from dataclasses import dataclass
from typing import Final

import psycopg
import pyarrow as pa
from psycopg import sql

MOST_DIGITS: Final = 38
"""Of an Arrow decimal of 128 bits; a number with more, or with no set number of them, goes as text."""

PLAIN: Final = {
    "bool": pa.bool_(),
    "int2": pa.int64(),
    "int4": pa.int64(),
    "int8": pa.int64(),
    "float4": pa.float64(),
    "float8": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}
"""Types whose values COPY writes as Arrow reads them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A column on its way.

    select    its expression in COPY
    read_as   how its text is read
    kind      what it is in the file
    """

    name: str
    select: sql.Composable
    read_as: pa.DataType
    kind: pa.DataType


def shape_of(column: psycopg.Column) -> Shape:
    """Times with a zone are in UTC. What has no Arrow type of its own (uuid, json, arrays, enumerations) is text."""
    name, described = column.name, psycopg.adapters.types.get(column.type_code)
    kind = described.name if described is not None and column.type_code == described.oid else ""
    as_is = sql.Identifier(name)
    if kind in PLAIN:
        return Shape(name=name, select=as_is, read_as=PLAIN[kind], kind=PLAIN[kind])
    if kind == "timestamptz":
        utc = sql.SQL("{} at time zone 'UTC'").format(as_is)
        return Shape(name=name, select=utc, read_as=pa.timestamp("us"), kind=pa.timestamp("us", "UTC"))
    if kind == "numeric" and column.precision and 0 <= (column.scale or 0) <= column.precision <= MOST_DIGITS:
        decimal = pa.decimal128(column.precision, column.scale or 0)
        return Shape(name=name, select=as_is, read_as=decimal, kind=decimal)
    return Shape(name=name, select=sql.SQL("{}::text").format(as_is), read_as=pa.string(), kind=pa.string())
