"""What a source says is to be done with a row, where it delivers changes one by one."""

from dataclasses import dataclass

import polars as pl

from sync.sources.decoded import FAULTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """column   of the delivery that tells; never one of the contract
    delete   texts in it that mean the row is gone
    upsert   texts in it that mean the row is as it stands there
    """

    column: str
    delete: frozenset[str]
    upsert: frozenset[str]

    def gone(self, told: pl.Series) -> pl.Series:
        """Whether each row is gone; null where it is neither that nor there."""
        known = told.is_in(self.upsert | self.delete).fill_null(value=False)
        return pl.select(pl.when(known).then(told.is_in(self.delete))).to_series()

    def faults(self, lines: pl.DataFrame) -> pl.DataFrame:
        """FAULTS of lines of which it is not known whether their row is gone."""
        reason = f"{self.column}: tells neither that the row is there nor that it is gone"
        return lines.select("line", rule=pl.lit("operation"), reason=pl.lit(reason)).cast(FAULTS)
