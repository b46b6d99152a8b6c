"""Rows that each came from one numbered line, gathered on disk with the text of the line.

What every decoder of such a delivery shares: keys that are missing or doubled are held back, rows that the source
says are gone are told apart, and the text of a line is read from disk when it is asked for.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import polars as pl
import pyarrow as pa
from pyarrow import compute

from schemas import Dataset
from sync.sources.decoded import ORIGIN, QUARANTINED, Decoded
from sync.sources.row_file import Numbers, OrderedRows, RowFile, spilled

# No column of a contract begins with a blank.
LINE: Final = pa.field(" line", pa.uint32())
TEXT: Final = pa.field(" text", pa.string())
GONE: Final = pa.field(" gone", pa.bool_())
AT_ONCE: Final = 65_536


@dataclass(slots=True)
class NumberedRows:
    """Used with `with`: leaving ends the gathering."""

    dataset: Dataset
    work: Path
    _file: RowFile = field(init=False)
    _held: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        schema = pa.schema([*self.dataset.arrow, LINE, TEXT, GONE])
        self._file = RowFile(self.work, schema, self.dataset.key)

    def __enter__(self) -> Self:
        self._file.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.__exit__()

    def add(self, rows: pa.Table, lines: pl.DataFrame, gone: pl.Series) -> None:
        """rows    columns of the dataset; one that is not there is null
        lines   line and text of each, in the same order
        gone    whether the source says that it is gone
        """
        told = lines.select("line", "text").to_arrow(compat_level=pl.CompatLevel.oldest())
        given = [
            rows[each.name] if each.name in rows.schema.names else pa.nulls(rows.num_rows, each.type)
            for each in self.dataset.arrow
        ]
        columns = [*given, told["line"].cast(LINE.type), told["text"].cast(TEXT.type), gone.to_arrow()]
        for batch in pa.table(columns, schema=self._file.schema).combine_chunks().to_batches():
            self._file.add(batch)

    def hold(self, faults: pl.DataFrame) -> None:
        """faults   QUARANTINED, one per line"""
        if not faults.is_empty():
            self._held.append(faults.select(QUARANTINED.names()))

    def decoded(self, *, envelope: int = 0, frame: str = "") -> Decoded:
        """Once it is ended. envelope: lines that are no rows; frame: what a line needs around it to be read again"""
        ordered = self._file.ordered()
        key = self.dataset.key
        for rule, reason, places in (
            ("required", f"{key}: nothing there", ordered.missing),
            ("unique", f"{key}: on several lines", ordered.shared),
        ):
            self.hold(_told(ordered, places).with_columns(rule=pl.lit(rule), reason=pl.lit(reason)))
        quarantine = pl.concat([QUARANTINED.to_frame(), *self._held]).sort("line")
        rows, deletes = self._parted(ordered.rows)
        rows_in = ordered.rows.num_rows + quarantine.height
        return Decoded(
            rows=rows, deletes=deletes, origin=_Lines(ordered), frame=frame, quarantine=quarantine, as_of=None,
            lines_in=rows_in + envelope, lines_envelope=envelope,
            rows_in=rows_in, rows_quarantined=quarantine.height,
        )  # fmt: skip

    def _parted(self, ordered: pa.Table) -> tuple[pa.Table, pa.Array]:
        """Rows that are there, and the keys of those that are gone."""
        gone = ordered[GONE.name]
        deletes = ordered[self.dataset.key].filter(gone).combine_chunks()
        rows = ordered.select(self.dataset.names)
        if len(deletes):
            rows = spilled(self.work / "there.arrow", rows.schema, _there(rows, gone))
        return rows, deletes


@dataclass(frozen=True, slots=True)
class _Lines:
    ordered: OrderedRows

    @property
    def height(self) -> int:
        return int(self.ordered.rows.num_rows)

    def lines(self, keys: pl.Series) -> pl.DataFrame:
        return _told(self.ordered, self.ordered.places(keys)).select(ORIGIN.names())


def _told(ordered: OrderedRows, places: Numbers) -> pl.DataFrame:
    """key, line and text of rows by their places."""
    taken = ordered.given.select([ordered.key, LINE.name, TEXT.name]).take(pa.array(places))
    return pl.DataFrame(pl.from_arrow(taken.rename_columns(ORIGIN.names()))).cast(ORIGIN)


def _there(rows: pa.Table, gone: pa.ChunkedArray) -> Iterator[pa.Table]:
    for start in range(0, rows.num_rows, AT_ONCE):
        yield rows.slice(start, AT_ONCE).filter(compute.invert(gone.slice(start, AT_ONCE)))
