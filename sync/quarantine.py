"""What is held back of a delivery, and how the mirror keeps it. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import compute

from replica import QUARANTINE
from schemas import Dataset
from sync.sources.decoded import QUARANTINED, Decoded


def hold_back(decoded: Decoded, broken: pl.DataFrame, key: str) -> Decoded:
    """Move rows that break a rule of the contract from `rows` to `quarantine`, with all lines they came from.

    broken   quality.VIOLATIONS, one per row
    """
    if broken.is_empty():
        return decoded
    lines = decoded.origin.lines(broken["key"]).join(broken, on="key").select(QUARANTINED.names())
    return replace(
        without(decoded, broken["key"], key),
        quarantine=pl.concat([decoded.quarantine, lines]).sort("line"),
        rows_in=decoded.rows_in,
        rows_quarantined=decoded.rows_quarantined + broken.height,
    )


def without(decoded: Decoded, keys: pl.Series, key: str) -> Decoded:
    """The delivery without these rows, as if their lines had not been in it; `origin` keeps them."""
    if keys.is_empty():
        return decoded
    named = pa.array(keys.to_list(), pa.string())
    given = decoded.rows[key].cast(pa.string())
    rows = decoded.rows.filter(compute.invert(compute.is_in(given, value_set=named)))
    return replace(decoded, rows=rows, rows_in=decoded.rows_in - (decoded.rows.num_rows - rows.num_rows))


def quarantine_table(decoded: Decoded, dataset: Dataset, run: str, source: str, file: str, at: datetime) -> pa.Table:
    """Held-back lines as the lake stores them."""
    constant: Mapping[str, Any] = {
        "register": dataset.register,
        "dataset": dataset.name,
        "run": run,
        "source": source,
        "file": file,
        "frame": decoded.frame,
        "at": at,
    }
    lines = decoded.quarantine
    told = lines.to_arrow(compat_level=pl.CompatLevel.oldest())
    columns = [
        pa.repeat(pa.scalar(constant[field.name], field.type), lines.height)
        if field.name in constant
        else told[field.name].cast(field.type)
        for field in QUARANTINE
    ]
    return pa.table(columns, schema=QUARANTINE)
