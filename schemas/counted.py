"""A rule in SQL: a plain count of the rows that break it, whose condition is an expression over their columns."""

from collections.abc import Iterable

import sqlglot
from sqlglot import exp

from schemas.column import Column, Kind
from schemas.expression import Expression
from schemas.grammar import checked


class NoCount(ValueError):
    """The query is none, or not a plain count; the message says which."""


def counted_condition(query: str, columns: Iterable[Column]) -> tuple[Expression, Kind]:
    """`SELECT COUNT(*) FROM rows WHERE ...`: the condition and what it gives. Raises NoCount, ExpressionRefused."""
    try:
        select = sqlglot.parse_one(query[:5_000], dialect="duckdb")
    except (sqlglot.errors.SqlglotError, RecursionError):
        raise NoCount("is not SQL") from None
    condition = _condition(select)
    if condition is None:
        raise NoCount("does not count rows that break a rule")
    return checked(condition, columns)


def _condition(select: exp.Expr) -> exp.Expr | None:
    """Of a plain count over the dataset; None for any other query."""
    parts = {name for name, value in select.args.items() if value}
    if type(select) is not exp.Select or not parts <= {"expressions", "from_", "from", "where", "kind"}:
        return None
    source = select.find(exp.From)
    counted = [type(each) is exp.Count and type(each.this) is exp.Star for each in select.expressions]
    table = source.this if source is not None else None
    if counted != [True] or type(table) is not exp.Table or table.sql(dialect="duckdb") != "rows":
        return None
    where = select.args.get("where")
    return where.this if where is not None else None
