"""One line of a delivery from its values; the positions come from the decoder's own tables."""

from datetime import date

from sync.sources.cpr.layout import Layout, Record, Shape, load_layout

LAYOUT: Layout = load_layout("a")
NO_TIME = "0" * 12
NOBODY = "0" * 10


def _template(record: Record) -> str:
    fields = "".join(f"%-{field.length}.{field.length}s" for field in record.fields)
    key = "" if record.shape is Shape.ENVELOPE else "%s"
    return f"{record.code}{key}{fields}"


TEMPLATES = {code: _template(record) for code, record in LAYOUT.records.items()}


def line(code: str, *values: object) -> str:
    """A record, its trailing blanks cut. `values`: the personal number, then all fields in their order."""
    return (TEMPLATES[code] % values).rstrip(" ")


def t12(day: date | None) -> str:
    """A day as `YYYYMMDDhhmm`; none as zeros."""
    return NO_TIME if day is None else f"{day.year:04}{day.month:02}{day.day:02}0000"


def d10(day: date | None) -> str:
    return "" if day is None else day.isoformat()
