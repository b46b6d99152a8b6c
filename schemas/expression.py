"""An expression: one value worked out from a row's own columns. Made by schemas/grammar.py, which checks it."""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Expression:
    """sql       as it is run: written anew from what was parsed
    columns   those that it reads
    """

    sql: str
    columns: frozenset[str]

    def over(self) -> pl.Expr:
        """To be evaluated on a frame that has `columns`."""
        return pl.sql_expr(self.sql)
