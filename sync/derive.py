"""Derived columns: worked out after decoding and before the rules, on all rows at once."""

from collections.abc import Callable

import polars as pl
import pyarrow as pa

from kernel import DatasetId
from replica import DatasetNotReady
from schemas import Column, Computed, Dataset, FromDataset, FromList
from sync.errors import QualityRefused, ReferenceNotReady

Texts = Callable[[DatasetId, str, str, pa.Array], pa.Table]
"""(dataset, code column, text column, codes) -> `code` and `text`, as the mirror has them now."""

_OLDEST = pl.CompatLevel.oldest()


def derive(rows: pa.Table, dataset: Dataset, texts: Texts) -> pa.Table:
    """The rows with the dataset's derived columns filled in; those that a decoder left there are replaced.

    rows    in the dataset's Arrow schema; derived columns may be missing

    Raises ReferenceNotReady when the dataset of a code list was never mirrored, QualityRefused when an expression
    cannot be evaluated.
    """
    derived = [column for column in dataset.columns if column.derived is not None]
    for column in derived:
        values = _values(rows, dataset, column, texts).to_arrow(compat_level=_OLDEST).cast(column.arrow)
        if column.name in rows.column_names:
            rows = rows.drop_columns([column.name])
        rows = rows.append_column(column.name, values)
    return rows.select(list(dataset.names)) if derived else rows


def _values(rows: pa.Table, dataset: Dataset, column: Column, texts: Texts) -> pl.Series:
    match column.derived:
        case Computed(expression=expression):
            # A value for each row also when the expression reads no column.
            needed = sorted(expression.columns) or [dataset.key]
            frame = pl.DataFrame(pl.from_arrow(rows.select(needed), rechunk=False))
            try:
                found = frame.with_columns(expression.over().alias("_value"))
            except pl.exceptions.PolarsError as error:
                # Without its message, which may quote a value.
                raise QualityRefused(
                    f"{column.name} cannot be derived ({type(error).__name__})", remedy="mend its transformLogic"
                ) from None
            return found["_value"]
        case FromList(column=code, entries=entries):
            listed = pl.DataFrame(entries, schema={"code": pl.String, "text": pl.String}, orient="row")
            return _translated(rows, code, listed)
        case FromDataset(column=code, dataset=other, code=key, text=text):
            codes = pl.Series(pl.from_arrow(rows[code])).unique().drop_nulls().to_arrow(compat_level=_OLDEST)
            try:
                found = texts(other, key, text, codes)
            except DatasetNotReady:
                raise ReferenceNotReady(
                    f"{dataset.id} takes {column.name} from {other}, which has not been mirrored yet",
                    remedy=f"load the source of {other} first",
                ) from None
            return _translated(rows, code, pl.DataFrame(pl.from_arrow(found)))
        case _:
            raise TypeError(f"{column.name} is not derived")


def _translated(rows: pa.Table, column: str, texts: pl.DataFrame) -> pl.Series:
    codes = pl.Series(pl.from_arrow(rows[column])).to_frame("code")
    return codes.join(texts, on="code", how="left", maintain_order="left")["text"]
