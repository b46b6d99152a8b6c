"""The shape of a row, as it follows from the layout tables.

The contract of the dataset must list the same columns; a test holds the two together.
"""

from collections.abc import Iterable, Mapping

import polars as pl
from polars.datatypes import DataTypeClass

from sync.sources.cpr.layout import KEY, Kind, Layout, Record, Shape

MUNICIPALITY = "municipality_code"
"""Derived: the municipality of the current address (002), else of the address in clear text (003); Christiansø is
Bornholm's."""
AS_DELIVERED = "as_delivered"
"""What the typed columns cannot hold: uncertain dates and unknown marks, as the register wrote them."""
AS_DELIVERED_TYPE = pl.List(pl.Struct({"field": pl.String, "text": pl.String}))

HIDDEN = "_"
"""Begins the name of a field that is read and not shown: when a record was registered."""
UNDONE_MARK, UNDONE = "correction_mark", "A"
"""A former name or address that was undone (ANNKOR `A`) never was one."""

Polars = pl.DataType | DataTypeClass

TYPES: Mapping[Kind, Polars] = {
    Kind.TEXT: pl.String,
    Kind.CODE: pl.String,
    Kind.NUMBER: pl.String,
    Kind.DATE: pl.Date,
    Kind.TIMESTAMP: pl.Datetime("us"),
    Kind.MARK: pl.Boolean,
}


def fields_of(group: Iterable[Record]) -> dict[str, Polars]:
    """Names and types of the fields of records that share a column, joined."""
    return {
        field.column: TYPES[field.kind]
        for record in group
        for field in record.fields
        if not field.column.startswith(HIDDEN)
    }


def row_schema(layout: Layout) -> dict[str, Polars]:
    """Columns of the row in order: its first record, then what is derived, then the others as the table goes."""
    first, *others = layout.groups
    schema: dict[str, Polars] = {layout.key: pl.String, **fields_of(first)}
    if layout.key == KEY:
        schema[MUNICIPALITY] = pl.String
    for group in others:
        fields = fields_of(group)
        if not group[0].column:
            schema |= fields
        else:
            struct = pl.Struct(fields)
            schema[group[0].column] = pl.List(struct) if group[0].shape is Shape.MANY else struct
    return schema | {AS_DELIVERED: AS_DELIVERED_TYPE}
