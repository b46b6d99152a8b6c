"""What every decoder hands on: rows, the lines they came from, and the lines it held back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol

import polars as pl
import pyarrow as pa

FAULTS = pl.Schema({"line": pl.UInt32, "rule": pl.String, "reason": pl.String})
"""One row per held-back line of a file; `line` is 1-based."""
QUARANTINED = pl.Schema({"line": pl.UInt32, "rule": pl.String, "reason": pl.String, "text": pl.String})
ORIGIN = pl.Schema({"key": pl.String, "line": pl.UInt32, "text": pl.String})
"""The lines that each row came from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One delivery, decoded.

    rows              unique keys, sorted by key
    origin            ORIGIN of `rows`
    quarantine        QUARANTINED, sorted by line; no line of it is in `origin`
    as_of             the source's own time for the data, aware; None when it does not tell
    position          where in its chain the delivery stands, for the next one to be checked against
    lines_in          lines that hold anything = lines_envelope + lines of `origin` + lines of `quarantine`
    rows_in           rows.num_rows + rows_quarantined
    warnings          sentences for the run report
    """

    rows: pa.Table
    origin: pl.DataFrame
    quarantine: pl.DataFrame
    as_of: datetime | None
    position: Mapping[str, str] = field(default_factory=dict)
    lines_in: int
    lines_envelope: int
    rows_in: int
    rows_quarantined: int
    warnings: tuple[str, ...] = ()


Tell = Callable[[str, int], None]
"""(what, how many more) while a decoder works: `bytes` read, `rows` decoded."""


class Decoder(Protocol):
    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell) -> Decoded:
        """Decode one delivery.

        former   `position` of the last delivery that was loaded from this source, empty at the first

        Raises a DataRefused for a delivery of which nothing may be published.
        """
        ...
