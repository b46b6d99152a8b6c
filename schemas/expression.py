"""An expression: one value worked out from a row's own columns. Made by schemas/grammar.py, which checks it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import polars as pl

NAMES: Final = (
    "=, <>, <, <=, >, >=, AND, OR, NOT, IS NULL, IN (...), BETWEEN, LIKE, CASE, +, -, *, /, %, ||, CAST, "
    "ABS, ROUND, GREATEST, LEAST, COALESCE, NULLIF, LOWER, UPPER, LENGTH, TRIM, SUBSTRING, LEFT, RIGHT, REPLACE, "
    "CONCAT, LPAD, RPAD, STARTS_WITH, EXTRACT(YEAR | MONTH | DAY FROM ...)"
)


class ExpressionRefused(ValueError):
    """The text is not an expression that may be evaluated here; the message says why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """sql       as it is run: written anew from what was parsed
    columns   those that it reads
    """

    sql: str
    columns: frozenset[str]

    def over(self) -> "pl.Expr":
        """To be evaluated on a frame that has `columns`."""
        # Late: who has such a frame has the library, and who only reads contracts does without.
        import polars as pl

        return pl.sql_expr(self.sql)
