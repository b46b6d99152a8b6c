"""Lines of one record as typed columns, with the first fault of each line."""

from dataclasses import dataclass
from functools import cache

import polars as pl

from sync.sources.cpr.fields import (
    CONTROL_CHARACTERS,
    DATED,
    Fault,
    is_blank,
    is_odd,
    odd_dates,
    plain_value,
    raw,
    suspect,
)
from sync.sources.cpr.layout import Field, Kind, Record
from sync.sources.cpr.schema import TYPES
from sync.sources.decoded import FAULTS

RAW = "_raw"
"""The line itself. Columns of our own begin with an underscore, which keeps them apart from the fields."""
_OVERLONG, _CONTROL = "_overlong", "_control"
KEPT = pl.Schema({"person": pl.UInt32, "line": pl.UInt32, "field": pl.String, "text": pl.String})
NOTHING_KEPT, NO_FAULTS = KEPT.to_frame(), FAULTS.to_frame()
_EXPECTED = {
    Kind.DATE: "a date YYYY-MM-DD",
    Kind.TIMESTAMP: "a time YYYYMMDDhhmm",
    Kind.NUMBER: "ten digits",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """typed   person, line, RAW and one column per field of the record
    kept    KEPT: what was delivered where `typed` says less
    faults  FAULTS, one per broken line; their lines are in `typed` too
    """

    record: Record
    typed: pl.DataFrame
    kept: pl.DataFrame
    faults: pl.DataFrame


def parse(record: Record, lines: pl.DataFrame, *, control: bool = True) -> Parsed:
    """Type all lines of one record.

    lines     person, line, text (of this record only)
    control   False when it is known that no line holds a control character
    """
    if lines.is_empty():
        return _nothing(record)
    work = _work(record, control)
    # Three steps, since an expression that is used twice is computed twice.
    frame = lines.select(work.cut).with_columns(work.type).with_columns(work.doubt)
    raised = {name for name, found in zip(work.flags, frame.select(work.any).row(0), strict=True) if found}
    kept, faults = [], _line_faults(record, frame, raised)
    for field in record.fields:
        faults += _field_faults(record, field, frame, raised)
    for field in record.fields:
        if _odd(field) in raised:
            frame, delivered, impossible = _look_closer(record, field, frame)
            kept.append(delivered)
            faults.append(impossible)
    found = pl.concat(faults).unique("line", keep="first", maintain_order=True) if faults else NO_FAULTS
    return Parsed(record, frame.select(work.typed), pl.concat(kept) if kept else NOTHING_KEPT, found)


@dataclass(frozen=True, slots=True)
class _Work:
    """What is computed for the lines of a record; made once, since there are hundreds of expressions.

    flags   columns that tell which lines need a closer look; `any` tells which of them do at all
    """

    cut: list[pl.Expr]
    type: list[pl.Expr]
    doubt: list[pl.Expr]
    flags: list[str]
    any: list[pl.Expr]
    typed: list[str]


@cache
def _work(record: Record, control: bool) -> _Work:
    fields, whole = record.fields, pl.col("text")
    special = [field for field in fields if field.kind is Kind.MARK or field.kind in DATED]
    suspects = {_suspect(field): suspect(field, pl.col(_raw(field))) for field in fields}
    cut = [
        pl.col("person"),
        pl.col("line"),
        whole.alias(RAW),
        (whole.str.len_bytes() > record.length).alias(_OVERLONG),
        *(raw(field).alias(_raw(field)) for field in fields),
    ]
    # Looking for control characters is a good part of the work, and hardly any delivery has one.
    searched = [pl.col(RAW).str.contains(CONTROL_CHARACTERS).alias(_CONTROL)] if control else []
    checks = [
        *searched,
        *(check.alias(name) for name, check in suspects.items() if check is not None),
        *(is_blank(pl.col(_raw(field))).alias(_missing(field)) for field in fields if field.required),
    ]
    doubt = [is_odd(field, pl.col(_raw(field)), pl.col(field.column)).alias(_odd(field)) for field in special]
    flags = [_OVERLONG, *(each.meta.output_name() for each in (*checks, *doubt))]
    values = [plain_value(field, pl.col(_raw(field))).alias(field.column) for field in fields]
    return _Work(
        cut=cut,
        type=[*values, *checks],
        doubt=doubt,
        flags=flags,
        any=[pl.col(name).any() for name in flags],
        typed=["person", "line", RAW, *(field.column for field in fields)],
    )


@cache
def _nothing(record: Record) -> Parsed:
    columns = {field.column: TYPES[field.kind] for field in record.fields}
    typed = pl.Schema({"person": pl.UInt32, "line": pl.UInt32, RAW: pl.String, **columns})
    return Parsed(record, typed.to_frame(), NOTHING_KEPT, NO_FAULTS)


def _line_faults(record: Record, frame: pl.DataFrame, raised: set[str]) -> list[pl.DataFrame]:
    """Faults of a line as a whole."""
    faults = []
    if _OVERLONG in raised:
        overlong = frame.filter(pl.col(_OVERLONG)).filter(~is_blank(pl.col(RAW).str.slice(record.length)))
        reason = f"{record.code}: longer than {record.length} characters"
        faults.append(_faults(overlong, pl.lit("line_overlong"), reason))
    if _CONTROL in raised:
        control = frame.filter(pl.col(_CONTROL))
        faults.append(_faults(control, pl.lit("wrong_type"), f"{record.code}: holds a control character"))
    return faults


def _field_faults(record: Record, field: Field, frame: pl.DataFrame, raised: set[str]) -> list[pl.DataFrame]:
    if raised.isdisjoint((_missing(field), _suspect(field))):
        return []
    faults, text = [], pl.col(_raw(field))
    # The sender may cut trailing blanks, so a short line alone is no fault: one that ends before or within a
    # field that had to be there is.
    cut = pl.when(pl.col(RAW).str.len_chars() < field.end).then(pl.lit("line_cut"))
    if _missing(field) in raised:
        missing = frame.filter(pl.col(_missing(field)))
        reason = _reason(record, field, Fault.MISSING)
        faults.append(_faults(missing, cut.otherwise(pl.lit("value_missing")), reason))
    if _suspect(field) in raised:
        broken = frame.filter(pl.col(_suspect(field))).filter(~is_blank(text))
        reason = _reason(record, field, Fault.WRONG_TYPE)
        faults.append(_faults(broken, cut.otherwise(pl.lit("wrong_type")), reason))
    return faults


def _look_closer(record: Record, field: Field, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The frame with the values of uncertain dates; KEPT for them and for unknown marks; impossible dates."""
    text, name = pl.col(_raw(field)), field.column
    odd = frame.filter(pl.col(_odd(field)))
    kept = odd.select("person", "line", field=pl.lit(name), text=text)
    if field.kind is Kind.MARK:
        return frame, kept, NO_FAULTS
    dates = odd_dates(field, odd[_raw(field)].unique())
    values = pl.coalesce(name, text.replace_strict(dates["text"], dates["value"], default=None)).alias(name)
    impossible = odd.join(dates.filter("impossible"), left_on=_raw(field), right_on="text", how="semi")
    kept = kept.join(dates, on="text", how="semi")
    reason = _reason(record, field, Fault.DATE_IMPOSSIBLE)
    return frame.with_columns(values), kept, _faults(impossible, pl.lit("date_impossible"), reason)


def _raw(field: Field) -> str:
    return f"_raw_{field.column}"


def _suspect(field: Field) -> str:
    return f"_suspect_{field.column}"


def _missing(field: Field) -> str:
    return f"_missing_{field.column}"


def _odd(field: Field) -> str:
    return f"_odd_{field.column}"


def _faults(lines: pl.DataFrame, rule: pl.Expr, reason: str) -> pl.DataFrame:
    return lines.select("line", rule=rule, reason=pl.lit(reason))


def _reason(record: Record, field: Field, fault: Fault) -> str:
    where = f"{record.code} {field.name} at {field.start}+{field.length}"
    match fault:
        case Fault.MISSING:
            return f"{where}: nothing there"
        case Fault.WRONG_TYPE:
            return f"{where}: not {_EXPECTED.get(field.kind, f'{field.length} digits')}"
        case Fault.DATE_IMPOSSIBLE:
            return f"{where}: no such date"
