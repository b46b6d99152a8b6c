"""One field of a line: its typed value, whether it breaks its type, and what must be kept as delivered.

Everything here builds polars expressions over a column `text` that holds one line each; nothing is computed
until the decoder selects them for all lines of a record at once.

Dates follow the register's conventions (U12180-P): `YYYY-MM-DD` or `YYYYMMDDhhmm`; all zeros or blanks mean
none; an unknown part is zero, an unknown time has minute 99. The typed value is then the earliest moment that
the known parts allow, and the text as delivered is kept beside it. A month 13, a day 32 or a 30 February is
no date at all.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import polars as pl

from sync.sources.cpr.layout import Field, Kind

BLANK: Final = " "
CONTROL_CHARACTERS: Final = r"[\x00-\x1f\x7f-\x9f]"


class Fault(IntEnum):
    """What can be wrong with a field; 0 is nothing."""

    MISSING = 1
    WRONG_TYPE = 2
    DATE_IMPOSSIBLE = 3


@dataclass(frozen=True, slots=True)
class FieldExpressions:
    """value      typed, null when the field is blank
    fault      Fault as an integer, null when the field is sound; None when nothing can be wrong with it
    verbatim   the text as delivered where `value` says less, else null; None when that cannot be
    """

    value: pl.Expr
    fault: pl.Expr | None
    verbatim: pl.Expr | None


def expressions(field: Field) -> FieldExpressions:
    raw = pl.col("text").str.slice(field.start - 1, field.length)
    match field.kind:
        case Kind.TEXT:
            value = _stripped(raw)
            missing = pl.when(value.is_null()).then(int(Fault.MISSING)) if field.required else None
            return FieldExpressions(value, missing, None)
        case Kind.CODE | Kind.NUMBER:
            return _digits(field, raw)
        case Kind.MARK:
            kept = pl.when(~raw.is_in(["", BLANK, "*"])).then(raw)
            return FieldExpressions(~raw.is_in(["", BLANK]), None, kept)
        case Kind.DATE:
            return _date(field, raw)
        case Kind.TIMESTAMP:
            return _timestamp(field, raw)


def _stripped(raw: pl.Expr) -> pl.Expr:
    text = raw.str.strip_chars(BLANK)
    return pl.when(text != "").then(text)


def _digits(field: Field, raw: pl.Expr) -> FieldExpressions:
    value = _stripped(raw)
    fault = _fault(field, value.is_null(), raw.str.contains(rf"^[0-9]{{{field.length}}}$"), None)
    if field.kind is Kind.NUMBER:
        value = pl.when(value != "0" * field.length).then(value)
    return FieldExpressions(value, fault, None)


def _date(field: Field, raw: pl.Expr) -> FieldExpressions:
    shaped = raw.str.contains(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    number = raw.str.replace_all("-", "", literal=True).cast(pl.Int32, strict=False)
    year, month, day = number // 10_000, number // 100 % 100, number % 100
    given = shaped & (number != 0)
    impossible = given & ~_is_date(year, month, day)
    value = pl.when(given & ~impossible).then(_days(year, month, day)).cast(pl.Date)
    verbatim = pl.when(given & ((month == 0) | (day == 0))).then(raw)
    return FieldExpressions(value, _fault(field, _is_blank(raw), shaped, impossible), verbatim)


def _timestamp(field: Field, raw: pl.Expr) -> FieldExpressions:
    shaped = raw.str.contains(r"^[0-9]{12}$")
    number = raw.cast(pl.Int64, strict=False)
    year, month, day = number // 100_000_000, number // 1_000_000 % 100, number // 10_000 % 100
    hour, minute = number // 100 % 100, number % 100
    dated = shaped & (number >= 10_000)
    impossible = dated & ~_is_date(year, month, day)
    hour_known = hour <= 23
    minutes = pl.when(hour_known).then(hour * 60).otherwise(0) + pl.when(hour_known & (minute <= 59)).then(
        minute
    ).otherwise(0)
    moment = (_days(year, month, day).cast(pl.Int64) * 1_440 + minutes) * 60_000_000
    value = pl.when(dated & ~impossible).then(moment).cast(pl.Datetime("us"))
    # A time without a date says nothing that a timestamp could hold, but it was delivered.
    vague = (month == 0) | (day == 0) | ~hour_known | (minute > 59)
    verbatim = pl.when(shaped & (number != 0) & vague).then(raw)
    return FieldExpressions(value, _fault(field, _is_blank(raw), shaped, impossible), verbatim)


def _fault(field: Field, blank: pl.Expr, shaped: pl.Expr, impossible: pl.Expr | None) -> pl.Expr:
    fault = pl.when(blank).then(int(Fault.MISSING) if field.required else None)
    fault = fault.when(~shaped).then(int(Fault.WRONG_TYPE))
    return fault if impossible is None else fault.when(impossible).then(int(Fault.DATE_IMPOSSIBLE))


def _is_blank(raw: pl.Expr) -> pl.Expr:
    return raw.str.strip_chars_start(BLANK) == ""


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
