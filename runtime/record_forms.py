"""The register's record layout for those who write it: from the decoder's own tables, so that the two never differ."""

from functools import cache
from typing import Final

from extract.formats.cpr_records import KEY, FieldForm, RecordForm
from sync.sources.cpr import load_layout
from sync.sources.cpr.layout import Shape

_GONE: Final = "997"


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


@cache
def gone_form() -> RecordForm:
    """The register's receipt that a person is followed no more. Its fields have the register's own names."""
    record = load_layout("a").records[_GONE]
    return RecordForm(
        code=record.code,
        length=record.length,
        column="",
        many=False,
        fields=tuple(
            FieldForm(
                start=field.start,
                length=field.length,
                kind=field.kind.value,
                column=KEY if field.name == "PNR" else field.name,
            )
            for field in record.fields
        ),
    )
