"""The register's lines, person by person and field by field: slow, and plain enough to judge the writer by."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from extract.formats.cpr_records import AS_DELIVERED, KEY, FieldForm, RecordForm

_PLACED: Final = re.compile(r"(\w+)\[(\d+)\]\.(\w+)")


def plain_lines(forms: Sequence[RecordForm], row: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a person, trailing blanks cut, in the order of the layout."""
    exact: dict[tuple[str, int, str], str] = {}
    for each in row.get(AS_DELIVERED) or ():
        placed = _PLACED.fullmatch(each["field"])
        if placed is not None:
            exact[placed[1], int(placed[2]), placed[3]] = each["text"]
        else:
            holder, _, name = each["field"].rpartition(".")
            exact[holder, 0, name] = each["text"]
    for form in forms:
        if not form.column:
            if form.code == forms[0].code or any(row.get(field.column) is not None for field in form.fields):
                yield _line(form, row[KEY], row, exact, "", 0)
            continue
        held = row.get(form.column)
        for place, values in enumerate(held if form.many and held else [held] if held else []):
            if _fits(form, forms, values):
                yield _line(form, row[KEY], values, exact, form.column, place)


def _fits(form: RecordForm, forms: Sequence[RecordForm], values: Mapping[str, Any]) -> bool:
    """Of records that share a column, the shortest that has a field for everything that is there is written."""
    filled = {name for name, value in values.items() if value is not None}
    sharing = sorted((each for each in forms if each.column == form.column), key=lambda each: each.length)
    for each in sharing:
        if filled <= {field.column for field in each.fields}:
            return each is form
    return form is sharing[-1]


def _line(
    form: RecordForm,
    key: str,
    values: Mapping[str, Any],
    exact: Mapping[tuple[str, int, str], str],
    holder: str,
    place: int,
) -> str:
    text = [" "] * form.length
    text[0:3] = form.code[:3]
    text[3:13] = key.ljust(10)[:10]
    for field in form.fields:
        # What stands as delivered tells of no column but those that are there.
        told = exact.get((holder, place, field.column)) if field.column in values else None
        shown = told if told is not None else _shown(field, values.get(field.column))
        text[field.start - 1 : field.start - 1 + field.length] = shown.ljust(field.length)[: field.length]
    return "".join(text).rstrip(" ")


def _shown(field: FieldForm, value: Any) -> str:
    match value:
        case None | False:
            return "0" * 12 if field.kind == "timestamp" else ""
        case True:
            return "*"
        case datetime():
            return f"{value.year:04d}{value.month:02d}{value.day:02d}{value.hour:02d}{value.minute:02d}"
        case date():
            return value.isoformat()
        case _:
            return str(value)
