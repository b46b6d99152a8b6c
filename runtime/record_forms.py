"""The register's record layout for those who write it: from the decoder's own tables, so that the two never differ."""

from functools import cache

from extract.delivery.cpr_records import FieldForm, RecordForm
from sync.sources.cpr import load_layout
from sync.sources.cpr.layout import Shape


@cache
def record_forms() -> tuple[RecordForm, ...]:
    """The record layout of the register of persons, from the decoder's own tables."""
    return tuple(
        RecordForm(
            code=record.code,
            length=record.length,
            column=record.column,
            many=record.shape is Shape.MANY,
            fields=tuple(
                FieldForm(start=field.start, length=field.length, kind=field.kind.value, column=field.column)
                for field in record.fields
            ),
        )
        for record in load_layout("a").subjects
    )
