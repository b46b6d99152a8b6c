"""CPR: the person register's fixed-width deliveries, decoded into one nested row per personal number."""

from schemas.cpr_number import birth_date, check_digit, has_check_digit
from sync.sources.cpr.decoder import CprDecoder, Manner
from sync.sources.cpr.layout import Field, Kind, Layout, Record, Shape, load_layout
from sync.sources.cpr.schema import row_schema

__all__ = [
    "CprDecoder",
    "Field",
    "Kind",
    "Layout",
    "Manner",
    "Record",
    "Shape",
    "birth_date",
    "check_digit",
    "has_check_digit",
    "load_layout",
    "row_schema",
]
