"""Lines of one record as typed columns, with the first fault of each line."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import polars as pl

from sync.sources.cpr.fields import CONTROL_CHARACTERS, Fault, FieldExpressions, expressions
from sync.sources.cpr.layout import Field, Kind, Record
from sync.sources.decoded import FAULTS

RAW, OVERLONG, CONTROL = "_raw", "_overlong", "_control"
"""Columns of our own; an underscore keeps them apart from the fields of a record."""
_RULES = {
    Fault.MISSING: "value_missing",
    Fault.WRONG_TYPE: "wrong_type",
    Fault.DATE_IMPOSSIBLE: "date_impossible",
}
_EXPECTED = {
    Kind.DATE: "a date YYYY-MM-DD",
    Kind.TIMESTAMP: "a time YYYYMMDDhhmm",
    Kind.NUMBER: "ten digits",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """typed   person, line, RAW and one column per field of the record
    kept    (person, line, field, text): what was delivered where `typed` says less
    faults  FAULTS; their lines are in `typed` too
    """

    record: Record
    typed: pl.DataFrame
    kept: pl.DataFrame
    faults: pl.DataFrame


KEPT = pl.Schema({"person": pl.UInt32, "line": pl.UInt32, "field": pl.String, "text": pl.String})


@cache
def _compiled(record: Record) -> tuple[FieldExpressions, ...]:
    return tuple(expressions(field) for field in record.fields)


def parse(record: Record, lines: pl.DataFrame) -> Parsed:
    """Type all lines of one record.

    lines   person, line, text (of this record only)
    """
    compiled = _compiled(record)
    faults = [
        pl.when(each.fault.is_not_null()).then(each.fault + index * 4)
        for index, each in enumerate(compiled)
        if each.fault is not None
    ]
    kept = {field.column: each.verbatim for field, each in zip(record.fields, compiled, strict=True)}
    frame = lines.select(
        "person",
        "line",
        pl.col("text").alias(RAW),
        *(each.value.alias(field.column) for field, each in zip(record.fields, compiled, strict=True)),
        *(expr.alias(f"_kept_{name}") for name, expr in kept.items() if expr is not None),
        pl.coalesce(*faults, pl.lit(None, pl.Int32)).alias("_fault"),
        (pl.col("text").str.slice(record.length).str.strip_chars_start(" ") != "").alias(OVERLONG),
        pl.col("text").str.contains(CONTROL_CHARACTERS).alias(CONTROL),
    )
    return Parsed(
        record,
        frame.select("person", "line", RAW, *(field.column for field in record.fields)),
        _kept(frame, [name for name, expr in kept.items() if expr is not None]),
        _faults(record, frame),
    )


def _kept(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    found = [KEPT.to_frame()]
    for name in names:
        text = f"_kept_{name}"
        if frame[text].null_count() < frame.height:
            filled = frame.filter(pl.col(text).is_not_null())
            found.append(filled.select("person", "line", pl.lit(name).alias("field"), pl.col(text).alias("text")))
    return pl.concat(found)


def _faults(record: Record, frame: pl.DataFrame) -> pl.DataFrame:
    bad = frame.filter(pl.col("_fault").is_not_null() | pl.col(OVERLONG) | pl.col(CONTROL))
    if bad.is_empty():
        return FAULTS.to_frame()
    ends = {index * 4 + fault: field.end for index, field in enumerate(record.fields) for fault in Fault}
    known = {
        index * 4 + fault: (_RULES[fault], _reason(record, field, fault))
        for index, field in enumerate(record.fields)
        for fault in Fault
    }
    fault = pl.col("_fault")
    # Trailing blanks may be cut by the sender, so a short line alone is no fault: one that ends before or
    # within a field that had to be there is.
    cut = fault.is_not_null() & (
        pl.col(RAW).str.len_chars() < fault.replace_strict(ends, default=0, return_dtype=pl.UInt32)
    )
    impossible = (fault % 4) == int(Fault.DATE_IMPOSSIBLE)
    rule = pl.when(pl.col(OVERLONG)).then(pl.lit("line_overlong")).when(pl.col(CONTROL)).then(pl.lit("wrong_type"))
    rule = rule.when(cut & ~impossible).then(pl.lit("line_cut"))
    rules = {code: rule for code, (rule, _) in known.items()}
    reasons = {code: reason for code, (_, reason) in known.items()}
    reason = pl.when(pl.col(OVERLONG)).then(pl.lit(f"{record.code}: longer than {record.length} characters"))
    reason = reason.when(pl.col(CONTROL)).then(pl.lit(f"{record.code}: holds a control character"))
    return bad.select(
        "line",
        rule.otherwise(fault.replace_strict(rules, default=None, return_dtype=pl.String)).alias("rule"),
        reason.otherwise(fault.replace_strict(reasons, default=None, return_dtype=pl.String)).alias("reason"),
    )


def _reason(record: Record, field: Field, fault: Fault) -> str:
    where = f"{record.code} {field.name} at {field.start}+{field.length}"
    match fault:
        case Fault.MISSING:
            return f"{where}: nothing there"
        case Fault.WRONG_TYPE:
            return f"{where}: not {_EXPECTED.get(field.kind, f'{field.length} digits')}"
        case Fault.DATE_IMPOSSIBLE:
            return f"{where}: no such date"
