"""What breaks a rule, as polars expressions: true for a row that breaks it. They look at one row each."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas import CheckDigit, Column, Condition, Dataset, Invalid, Missing, Rule

_WEIGHTS: Final = {"cpr": (4, 3, 2, 7, 6, 5, 4, 3, 2, 1), "cvr": (2, 7, 6, 5, 4, 3, 2, 1)}
"""Modulus 11: a number is right when the sum of its weighted digits is a multiple of 11."""


@dataclass(frozen=True, slots=True)
class Check:
    """columns   that `broken` reads"""

    name: str
    reason: str
    columns: tuple[str, ...]
    broken: pl.Expr


def column_checks(dataset: Dataset) -> Iterator[Check]:
    """What the columns themselves demand, and the fields within them; all but unique."""
    for column in dataset.columns:
        yield from _of_column(column, column, (column.name,))


def rule_check(dataset: Dataset, rule: Rule) -> Check:
    """Of a rule that looks at one row. Raises TypeError for another."""
    match rule.test:
        case Condition(broken=expression):
            return Check(rule.name, rule.reason, tuple(sorted(expression.columns)), expression.over())
        case Missing(column=name, texts=texts):
            value = pl.col(name)
            broken = value.is_null() | value.is_in(sorted(texts)) if texts else value.is_null()
            return Check(rule.name, rule.reason, (name,), broken)
        case Invalid(column=name, allowed=allowed, pattern=pattern):
            value = pl.col(name)
            broken = ~value.is_in(sorted(allowed)) if allowed is not None else _mismatch(value, pattern or "")
            return Check(rule.name, rule.reason, (name,), broken)
        case CheckDigit(path=path, scheme=scheme):
            weights = _WEIGHTS[scheme]
            return Check(rule.name, rule.reason, path[:1], anywhere(dataset, path, lambda v, _: _wrong(v, weights)))
        case _:
            raise TypeError(f"{rule.name} looks at more than one row")


Test = Callable[[pl.Expr, pl.Expr | None], pl.Expr]
"""(the value, the object that it lies in) -> true when it is wrong."""


def anywhere(dataset: Dataset, path: tuple[str, ...], test: Test) -> pl.Expr:
    """True for a row where `test` holds for any value at the path, or for any element of an array that lies there."""
    return _walk(pl.col(path[0]), None, dataset.column(path[0]), path[1:], test, into=True)


def flattened(dataset: Dataset, path: tuple[str, ...]) -> pl.Expr:
    """All values at the path, in one column, in no relation to the rows."""
    value, column = pl.col(path[0]), dataset.column(path[0])
    for name in (*path[1:], None):
        if column.item is not None:
            value, column = value.explode(), column.item
        if name is not None:
            value, column = value.struct.field(name), next(each for each in column.fields if each.name == name)
    return value


def _walk(
    value: pl.Expr, around: pl.Expr | None, column: Column, path: tuple[str, ...], test: Test, *, into: bool
) -> pl.Expr:
    if column.item is not None and (path or into):
        inside = _walk(pl.element(), pl.element(), column.item, path, test, into=into)
        return value.list.eval(inside.fill_null(value=False)).list.any()
    if path:
        field = next(each for each in column.fields if each.name == path[0])
        return _walk(value.struct.field(field.name), value, field, path[1:], test, into=into)
    return test(value, around)


def _of_column(column: Column, top: Column, path: tuple[str, ...], *, into: bool = False) -> Iterator[Check]:
    for name, said, test in _demands(column):
        broken = _walk(pl.col(top.name), None, top, path[1:], test, into=into)
        yield Check(name, f"{'.'.join(path)}: {said}", (top.name,), broken)
    for field in column.fields:
        yield from _of_column(field, top, (*path, field.name))
    if column.item is not None:
        yield from _of_column(column.item, top, path, into=True)


def _demands(column: Column) -> Iterator[tuple[str, str, Test]]:
    """(rule, what is wrong, test)."""
    if column.required:
        yield "required", "nothing there", _absent
    if (pattern := column.pattern) is not None:
        yield "pattern", f"does not match {pattern}", lambda value, _: _mismatch(value, pattern)
    if (minimum := column.minimum) is not None:
        yield "minimum", f"below {minimum:g}", lambda value, _: value < minimum
    if (maximum := column.maximum) is not None:
        yield "maximum", f"above {maximum:g}", lambda value, _: value > maximum
    if (allowed := column.allowed) is not None:
        yield "allowed", "not an allowed value", lambda value, _: ~value.is_in(sorted(allowed))


def _absent(value: pl.Expr, around: pl.Expr | None) -> pl.Expr:
    # A field of an object that is not there is not missing.
    return value.is_null() if around is None else value.is_null() & around.is_not_null()


def _mismatch(value: pl.Expr, pattern: str) -> pl.Expr:
    return ~value.str.contains(f"^(?:{pattern})$")


def _wrong(value: pl.Expr, weights: tuple[int, ...]) -> pl.Expr:
    """Not digits of the right number, or digits whose weighted sum modulus 11 cannot divide."""
    shaped = value.str.contains(f"^[0-9]{{{len(weights)}}}$")
    number = pl.when(shaped).then(value).cast(pl.Int64)
    digits = (number // 10**place % 10 for place in range(len(weights) - 1, -1, -1))
    total = pl.sum_horizontal(weight * digit for weight, digit in zip(weights, digits, strict=True))
    return value.is_not_null() & (~shaped | (total % 11 != 0))
