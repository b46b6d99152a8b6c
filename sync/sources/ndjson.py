"""The NDJSON decoder: one JSON object per line, fields as the contract names them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final

import polars as pl

from schemas import Column, Dataset, Kind
from sync.errors import DeliveryUnreadable, SourceMisfit
from sync.sources.decoded import Decoded, Tell
from sync.sources.json_lines import JsonLines
from sync.sources.lines import line_blocks
from sync.sources.numbered import NumberedRows
from sync.sources.operation import Operation

LINES_AT_ONCE: Final = 65_536


class NdjsonDecoder:
    """Decodes UTF-8 lines that each hold an object, of any number: rows lie on disk, sorted by key, and are mapped.

    Objects and lists go into the contract's nested columns. A field that is missing is null; a line that is not one
    object, has a field that the contract does not have or a value of another type is held back under its number.
    Times with a zone become Danish wall-clock time. Derived columns are never delivered.

    Raises SourceMisfit when the column of the operation is one of the contract's.
    """

    def __init__(self, dataset: Dataset, operation: Operation | None = None) -> None:
        self.dataset, self.operation = dataset, operation
        columns = [column for column in dataset.columns if column.derived is None]
        if operation is not None:
            if operation.column in dataset.names:
                raise SourceMisfit(
                    f"the operation stands in {operation.column}, a column of the contract",
                    remedy="have it delivered under another name",
                )
            columns.append(Column(name=operation.column, kind=Kind.TEXT))
        self.reader = JsonLines(columns)

    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell, work: Path) -> Decoded:  # noqa: ARG002
        with NumberedRows(self.dataset, work) as gathered:
            try:
                for block in line_blocks(stream, "utf-8", tell):
                    for lines in block.iter_slices(LINES_AT_ONCE):
                        self._gather(lines, gathered)
                        tell("rows", lines.height)
            except UnicodeDecodeError:
                raise DeliveryUnreadable("the file is not UTF-8", remedy="have it delivered in UTF-8") from None
        return gathered.decoded()

    def again(self, frame: str, lines: Sequence[str]) -> bytes:  # noqa: ARG002
        return "\n".join([*lines, ""]).encode()

    def _gather(self, lines: pl.DataFrame, into: NumberedRows) -> None:
        objects = lines.with_columns(pl.col("text").str.strip_prefix("\ufeff"))
        rows, sound, faults = self.reader.read(objects)
        gone = pl.repeat(value=False, n=sound.height, dtype=pl.Boolean, eager=True)
        if self.operation is not None:
            gone = self.operation.gone(pl.Series(pl.from_arrow(rows[self.operation.column])).cast(pl.String))
            known = gone.is_not_null()
            faults = pl.concat([faults, self.operation.faults(sound.filter(~known))])
            rows, sound, gone = rows.filter(known.to_arrow()), sound.filter(known), gone.filter(known)
        into.hold(faults.join(lines, on="line"))
        into.add(rows, sound.select("line").join(lines, on="line", maintain_order="left"), gone)
