"""What every decoder hands on: rows, the lines they came from, and the lines it held back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

import polars as pl
import pyarrow as pa

FAULTS = pl.Schema({"line": pl.UInt32, "rule": pl.String, "reason": pl.String})
"""One row per held-back line of a file; `line` is 1-based."""
QUARANTINED = pl.Schema({"line": pl.UInt32, "rule": pl.String, "reason": pl.String, "text": pl.String})
ORIGIN = pl.Schema({"key": pl.String, "line": pl.UInt32, "text": pl.String})
"""The lines that each row came from."""
NO_KEYS = pa.array([], pa.string())


class Origin(Protocol):
    """The lines that rows came from. It may live on disk: a delivery can have more of them than fit in memory."""

    @property
    def height(self) -> int:
        """How many lines there are."""
        ...

    def lines(self, keys: pl.Series) -> pl.DataFrame:
        """ORIGIN of the rows with these keys."""
        ...


@dataclass(frozen=True, slots=True)
class LinesInMemory:
    """frame   ORIGIN"""

    frame: pl.DataFrame

    @property
    def height(self) -> int:
        return self.frame.height

    def lines(self, keys: pl.Series) -> pl.DataFrame:
        return self.frame.filter(pl.col("key").is_in(keys.implode()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One delivery, decoded.

    rows              unique keys, sorted by key; may be mapped from a file in the decoder's work folder
    deletes           keys of rows that the source says are gone; none of them is in `rows`
    origin            the lines of `rows` and `deletes`
    quarantine        QUARANTINED, sorted by line; no line of it is in `origin`
    frame             what a held-back line needs around it to be read again: a CSV's header, a start record
    as_of             the source's own time for the data, aware; None when it does not tell
    position          where in its chain the delivery stands, for the next one to be checked against
    lines_in          lines that hold anything = lines_envelope + lines of `origin` + lines of `quarantine`
    rows_in           rows.num_rows + len(deletes) + rows_quarantined
    warnings          sentences for the run report
    """

    rows: pa.Table
    origin: Origin
    quarantine: pl.DataFrame
    as_of: datetime | None
    position: Mapping[str, str] = field(default_factory=dict)
    lines_in: int
    lines_envelope: int
    rows_in: int
    rows_quarantined: int
    deletes: pa.Array = field(default_factory=lambda: NO_KEYS)
    frame: str = ""
    warnings: tuple[str, ...] = ()


Tell = Callable[[str, int], None]
"""(what, how many more) while a decoder works: `bytes` read, `rows` decoded."""


class Decoder(Protocol):
    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell, work: Path) -> Decoded:
        """Decode one delivery.

        former   `position` of the last delivery that was loaded from this source, empty at the first
        work     a private folder to spill in, removed when the delivery is published or refused

        Raises a DataRefused for a delivery of which nothing may be published.
        """
        ...

    def again(self, frame: str, lines: Sequence[str]) -> bytes:
        """A delivery of held-back lines alone that `decode` takes: for the quarantine's replay.

        frame   `Decoded.frame` of the delivery that the lines came in
        lines   `text` of its quarantine, in the order of their numbers
        """
        ...
