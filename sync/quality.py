"""The contract's rules, checked on all rows at once.

required, unique, pattern, minimum, maximum and allowed values of a dataset's own columns (not of fields within
them: those are the decoder's).
"""

from collections.abc import Iterator

import polars as pl
import pyarrow as pa

from schemas import Column, Dataset

VIOLATIONS = pl.Schema({"key": pl.String, "rule": pl.String, "reason": pl.String})


def violations(rows: pa.Table, dataset: Dataset) -> pl.DataFrame:
    """VIOLATIONS: the first broken rule of each row that breaks one, in the order of columns and rules.

    rows   in the dataset's Arrow schema, with a key in each
    """
    rules = [(column.name, *rule) for column in dataset.columns for rule in _rules(column)]
    flat = sorted({name for name, *_ in rules} | {dataset.key})
    frame = pl.DataFrame(pl.from_arrow(rows.select(flat)))
    found = [VIOLATIONS.to_frame()]
    for _, rule, broken, reason in rules:
        bad = frame.filter(broken)
        key = pl.col(dataset.key).cast(pl.String).alias("key")
        found.append(bad.select(key, rule=pl.lit(rule), reason=pl.lit(reason)))
    return pl.concat(found).unique("key", keep="first", maintain_order=True)


def _rules(column: Column) -> Iterator[tuple[str, pl.Expr, str]]:
    """(rule, expression that is true for a row that breaks it, reason)."""
    value, name = pl.col(column.name), column.name
    if column.required:
        yield "required", value.is_null(), f"{name}: nothing there"
    if column.unique:
        yield "unique", value.is_not_null() & value.is_duplicated(), f"{name}: on several rows"
    if column.pattern is not None:
        yield "pattern", ~value.str.contains(f"^(?:{column.pattern})$"), f"{name}: does not match {column.pattern}"
    if column.minimum is not None:
        yield "minimum", value < column.minimum, f"{name}: below {column.minimum:g}"
    if column.maximum is not None:
        yield "maximum", value > column.maximum, f"{name}: above {column.maximum:g}"
    if column.allowed is not None:
        yield "allowed", ~value.is_in(sorted(column.allowed)), f"{name}: not an allowed value"
