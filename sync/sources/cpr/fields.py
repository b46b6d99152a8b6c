"""One field of a line: its typed value, and which values need a closer look.

Everything here builds polars expressions; nothing is computed until `records.parse` selects them for all lines
of a record at once. Nearly all values are plain, so each field has a cheap expression for those, and the few
others (uncertain dates, values that may break their type) are looked at one by one after that.

Dates follow the register's conventions (U12180-P): `YYYY-MM-DD` or `YYYYMMDDhhmm`; all zeros or blanks mean
none; an unknown part is zero, an unknown time has minute 99. The typed value is then the earliest moment that
the known parts allow, and the text as delivered is kept beside it. A month 13, a day 32 or a 30 February is
no date at all.
"""

from collections.abc import Mapping
from datetime import date
from enum import IntEnum
from typing import Final

import polars as pl

from sync.sources.cpr.layout import Field, Kind

BLANK: Final = " "
MARK: Final = "*"
DATED: Final = (Kind.DATE, Kind.TIMESTAMP)
CONTROL_CHARACTERS: Final = r"[\x00-\x1f\x7f-\x9f]"
SHAPES: Final[Mapping[Kind, str]] = {
    Kind.DATE: r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    Kind.TIMESTAMP: r"^[0-9]{12}$",
}
FIRST_YEAR: Final = date(1, 1, 1)
ZEROS: Final[Mapping[Kind, str]] = {Kind.DATE: "0000-00-00", Kind.TIMESTAMP: "000000000000"}


class Fault(IntEnum):
    """What can be wrong with a field."""

    MISSING = 1
    WRONG_TYPE = 2
    DATE_IMPOSSIBLE = 3


def raw(field: Field) -> pl.Expr:
    """The field's characters from a column `text`; fewer than its length where the line is shorter."""
    return pl.col("text").str.slice(field.start - 1, field.length)


def plain_value(field: Field, text: pl.Expr) -> pl.Expr:
    """The typed value of a sound, certain field; null for blanks, and for dates that are neither."""
    match field.kind:
        case Kind.TEXT:
            stripped = text.str.strip_chars(BLANK)
            return pl.when(stripped != "").then(stripped)
        case Kind.CODE:
            return pl.when(_shaped(field, text)).then(text)
        case Kind.NUMBER:
            return pl.when(_shaped(field, text) & (text != "0" * field.length)).then(text)
        case Kind.MARK:
            return (text != "") & (text != BLANK)
        case Kind.DATE:
            return text.str.to_date("%Y-%m-%d", strict=False)
        case Kind.TIMESTAMP:
            return text.str.to_datetime("%Y%m%d%H%M", time_unit="us", strict=False)


def suspect(field: Field, text: pl.Expr) -> pl.Expr | None:
    """Whether the field may break its type; it does unless it is blank. None when it cannot."""
    if field.kind in (Kind.TEXT, Kind.MARK):
        return None
    return ~_shaped(field, text) & (text != "") & (text != BLANK * field.length)


def is_blank(text: pl.Expr) -> pl.Expr:
    """Blanks of any number, also none: a value that is not given."""
    return text.str.strip_chars_start(BLANK) == ""


def is_odd(field: Field, text: pl.Expr, value: pl.Expr) -> pl.Expr:
    """Whether a field with a date says more than its plain value, or a mark is another than `*`."""
    if field.kind is Kind.MARK:
        return value & (text != MARK)
    # The quick reading takes the year 0000 for one.
    plain = value >= FIRST_YEAR
    return plain.fill_null(value=False).not_() & (text.str.len_bytes() == field.length) & (text != ZEROS[field.kind])


def odd_dates(field: Field, texts: pl.Series) -> pl.DataFrame:
    """text, value, impossible: what uncertain dates mean; texts that are no date at all are left out."""
    shaped = texts.to_frame("text").filter(_shaped(field, pl.col("text")))
    if field.kind is Kind.DATE:
        number, clock = pl.col("text").str.replace_all("-", "", literal=True).cast(pl.Int32), pl.lit(0)
    else:
        number = pl.col("text").str.slice(0, 8).cast(pl.Int32)
        clock = pl.col("text").str.slice(8, 4).cast(pl.Int32)
    parts = shaped.select(
        "text",
        year=number // 10_000,
        month=number // 100 % 100,
        day=number % 100,
        hour=clock // 100,
        minute=clock % 100,
        dated=number != 0,
    )
    days = _days(*(pl.col(name) for name in ("year", "month", "day"))).cast(pl.Int64)
    hour_known = pl.col("hour") <= 23
    minutes = pl.when(hour_known).then(pl.col("hour") * 60).otherwise(0)
    minutes += pl.when(hour_known & (pl.col("minute") <= 59)).then(pl.col("minute")).otherwise(0)
    impossible = pl.col("dated") & ~_is_date(*(pl.col(name) for name in ("year", "month", "day")))
    moment = days.cast(pl.Int32) if field.kind is Kind.DATE else (days * 1_440 + minutes) * 60_000_000
    kind = pl.Date if field.kind is Kind.DATE else pl.Datetime("us")
    # A time without a date says nothing that a timestamp could hold, but it was delivered.
    value = pl.when(pl.col("dated") & ~impossible).then(moment).cast(kind)
    return parts.select("text", value=value, impossible=impossible)


def _shaped(field: Field, text: pl.Expr) -> pl.Expr:
    return text.str.contains(SHAPES.get(field.kind, rf"^[0-9]{{{field.length}}}$"))


def _is_date(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Whether the known parts can be a date; month and day may be zero, the year may not."""
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    length = (
        pl.when(month == 2)
        .then(pl.when(leap).then(29).otherwise(28))
        .when(month.is_in([4, 6, 9, 11]))
        .then(30)
        .otherwise(31)
    )
    return (year > 0) & (month <= 12) & (day <= length)


def _days(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Days since 1970-01-01 in the proleptic Gregorian calendar; an unknown month or day counts as the first.

    Integer arithmetic on years that begin in March, so that the leap day is the last one
    (Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil).
    """
    month = pl.when(month == 0).then(1).otherwise(month)
    day = pl.when(day == 0).then(1).otherwise(day)
    march_year = pl.when(month <= 2).then(year - 1).otherwise(year)
    era = march_year // 400
    year_of_era = march_year - era * 400
    march_month = (month + 9) % 12
    day_of_year = (153 * march_month + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468
