"""Expressions of a contract: one SQL value worked out from a row's own columns, and nothing else.

An expression is parsed, every part of it is found in a short list, and what is run is written anew from the parsed
tree: a part that is not known here is refused. It can read no table, no file and no clock. CAST gives null for a value
that does not fit, as TRY_CAST does, so that an expression has a value for every row.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import polars as pl
import pyarrow as pa
import sqlglot
from sqlglot import exp

from schemas.column import Column, Kind
from schemas.expression import Expression, ExpressionRefused

_LONGEST: Final = 5_000
_LOGIC: Final = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between,
    exp.Like, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Case, exp.If,
)  # fmt: skip
_VALUES: Final = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Add, exp.Sub, exp.Mul, exp.Div,
    exp.Mod, exp.DPipe, exp.TryCast, exp.DataType, exp.Var,
)  # fmt: skip
_FUNCTIONS: Final = (
    exp.Abs, exp.Round, exp.Greatest, exp.Least, exp.Coalesce, exp.Nullif, exp.Lower, exp.Upper, exp.Length, exp.Trim,
    exp.Substring, exp.Left, exp.Right, exp.Replace, exp.Concat, exp.Pad, exp.StartsWith, exp.Extract,
)  # fmt: skip
_CASTS: Final = frozenset({"VARCHAR", "TEXT", "BIGINT", "INT", "DOUBLE", "DATE"})
_PARTS_OF_A_DATE: Final = frozenset({"YEAR", "MONTH", "DAY"})


def read_expression(text: str, columns: Iterable[Column]) -> tuple[Expression, Kind]:
    """The expression and what it gives. Raises ExpressionRefused.

    columns   those that it may read; objects and arrays among them may not be read
    """
    try:
        tree = sqlglot.parse_one(text[:_LONGEST], dialect="duckdb") if len(text) <= _LONGEST else None
    except (sqlglot.errors.SqlglotError, RecursionError):
        tree = None
    if tree is None:
        raise ExpressionRefused(f"is not one SQL expression of at most {_LONGEST:,} characters")
    return checked(tree, columns)


def checked(tree: exp.Expr, columns: Iterable[Column]) -> tuple[Expression, Kind]:
    """The same for an expression that is parsed already. Raises ExpressionRefused."""
    flat = {column.name: column for column in columns if column.kind not in (Kind.OBJECT, Kind.ARRAY)}
    tree = tree.copy().transform(_forgiving)
    for node in tree.walk():
        _check(node, flat)
    expression = Expression(
        tree.sql(dialect="duckdb", identify=True, comments=False),
        frozenset(column.name for column in tree.find_all(exp.Column)),
    )
    return expression, _kind(expression, flat)


def _forgiving(node: exp.Expr) -> exp.Expr:
    if type(node) is exp.Cast:
        return exp.TryCast(this=node.this, to=node.args["to"])
    return node


def _check(node: exp.Expr, flat: Mapping[str, Column]) -> None:
    # By type itself: a subclass of something harmless may be something else.
    if type(node) not in (*_LOGIC, *_VALUES, *_FUNCTIONS):
        raise ExpressionRefused(f"uses {node.key.upper()}, which is not offered")
    if isinstance(node, exp.Column) and (node.name not in flat or len(node.parts) > 1):
        raise ExpressionRefused(f"reads {node.sql()[:80]}, which is no plain column of the dataset that it may read")
    if isinstance(node, exp.In) and (node.args.get("query") or node.args.get("unnest") or node.args.get("field")):
        raise ExpressionRefused("uses IN with something other than a list of values")
    if isinstance(node, exp.DataType) and (node.this.name not in _CASTS or node.expressions):
        raise ExpressionRefused("casts to another type than VARCHAR, BIGINT, DOUBLE or DATE")
    if isinstance(node, exp.Var) and not (isinstance(node.parent, exp.Extract) and node.name in _PARTS_OF_A_DATE):
        raise ExpressionRefused(f"uses {node.name[:40]}, which is not offered")


def _kind(expression: Expression, flat: Mapping[str, Column]) -> Kind:
    """What it gives, found by running it on no rows."""
    schema = pa.schema([pa.field(name, column.arrow) for name, column in flat.items()])
    frame = pl.DataFrame(pl.from_arrow(schema.empty_table()))
    try:
        found = frame.select(expression.over().alias("value")).schema["value"]
    except pl.exceptions.PolarsError as error:
        raise ExpressionRefused(f"cannot be evaluated: {str(error).splitlines()[0][:200]}") from None
    if found.is_integer():
        return Kind.INTEGER
    if found.is_float():
        return Kind.NUMBER
    kinds: dict[type[pl.DataType] | pl.DataType, Kind] = {
        pl.String(): Kind.TEXT, pl.Boolean(): Kind.BOOLEAN, pl.Date(): Kind.DATE, pl.Datetime("us"): Kind.TIMESTAMP,
    }  # fmt: skip
    if found not in kinds:
        raise ExpressionRefused("gives no text, number, date or truth value")
    return kinds[found]
