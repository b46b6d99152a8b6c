"""The Parquet decoder: columns as the contract names them, with types that hold every value of the file."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import compute

from kernel import COPENHAGEN
from schemas import Dataset
from sync.errors import DeliveryUnreadable
from sync.sources.columns import ensure_columns
from sync.sources.decoded import ORIGIN, QUARANTINED, Decoded, Tell
from sync.sources.row_file import OrderedRows, RowFile

BATCH_ROWS: Final = 131_072
COPY_BYTES: Final = 1024 * 1024


class ParquetDecoder:
    """Decodes a Parquet file of any size: rows lie on disk, sorted by key, and are mapped.

    A column that the contract does not require may be missing; one that it does not have refuses the file, since nobody
    has said whether it may be shown. So does a value that the contract's type cannot hold: nothing is rounded, cut or
    read out of text. A row stands in the quarantine as JSON, under its number in the file.
    """

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell, work: Path) -> Decoded:  # noqa: ARG002
        # A Parquet file is read from its end, and a stream has none until it is through.
        spooled = work / "delivery.parquet"
        with spooled.open("wb") as copy:
            while block := stream.read(COPY_BYTES):
                copy.write(block)
                tell("bytes", len(block))
        try:
            rows = self._rows(spooled, tell, work)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError):
            # The library's own message may quote values.
            raise DeliveryUnreadable("the file is not sound Parquet", remedy="have it delivered again") from None
        finally:
            spooled.unlink(missing_ok=True)
        held = self._held(rows)
        return Decoded(
            rows=rows.rows,
            origin=_Numbered(rows, self.dataset),
            quarantine=held,
            as_of=None,
            lines_in=rows.given.num_rows,
            lines_envelope=0,
            rows_in=rows.given.num_rows,
            rows_quarantined=held.height,
        )

    def again(self, frame: str, lines: Sequence[str]) -> bytes:  # noqa: ARG002
        schema = self.dataset.arrow
        kinds = pl.DataFrame(pl.from_arrow(schema.empty_table())).schema
        told = pl.Series("row", lines, pl.String).str.json_decode(pl.Struct(dict(kinds))).struct.unnest()
        written = io.BytesIO()
        delivered = [column.name for column in self.dataset.columns if column.derived is None]
        pq.write_table(told.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema).select(delivered), written)
        return written.getvalue()

    def _rows(self, path: Path, tell: Tell, work: Path) -> OrderedRows:
        with pq.ParquetFile(path) as file, RowFile(work, self.dataset.arrow, self.dataset.key) as kept:
            names = file.schema_arrow.names
            ensure_columns(names, self.dataset, "the file")
            for batch in file.iter_batches(BATCH_ROWS):
                kept.add(self._typed(batch))
                tell("rows", batch.num_rows)
        return kept.ordered()

    def _typed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = []
        for field in self.dataset.arrow:
            if field.name not in batch.schema.names:
                arrays.append(pa.nulls(batch.num_rows, field.type))
                continue
            given = batch.column(batch.schema.get_field_index(field.name))
            arrays.append(_cast(given, field))
        return pa.RecordBatch.from_arrays(arrays, schema=self.dataset.arrow)

    def _held(self, rows: OrderedRows) -> pl.DataFrame:
        key = self.dataset.key
        reasons = (
            ("required", f"{key}: nothing there", rows.missing),
            ("unique", f"{key}: on several rows", rows.shared),
        )
        found = [
            _told(rows.given, places).select("line", pl.lit(rule).alias("rule"), pl.lit(reason).alias("reason"), "text")
            for rule, reason, places in reasons
            if len(places)
        ]
        return pl.concat([QUARANTINED.to_frame(), *found]).sort("line")


@dataclass(frozen=True, slots=True)
class _Numbered:
    """The rows of a file by their numbers; their text is made when it is asked for."""

    rows: OrderedRows
    dataset: Dataset

    @property
    def height(self) -> int:
        return int(self.rows.rows.num_rows)

    def lines(self, keys: pl.Series) -> pl.DataFrame:
        told = _told(self.rows.given, self.rows.places(keys))
        key = told["text"].str.json_path_match(f"$.{self.dataset.key}").alias("key")
        return told.with_columns(key).select(ORIGIN.names())


def _told(given: pa.Table, places: Any) -> pl.DataFrame:
    """line and text of rows: their number from 1, and the row as JSON."""
    texts = [orjson.dumps(row).decode() for row in given.take(pa.array(places)).to_pylist()]
    return pl.DataFrame({"line": places + 1, "text": texts}, schema={"line": pl.UInt32, "text": pl.String})


def _cast(given: pa.Array, field: pa.Field) -> pa.Array:
    """Raises DeliveryUnreadable, without the value that does not fit."""
    if pa.types.is_timestamp(given.type) and given.type.tz is not None:
        # A register's times are Danish wall-clock times.
        given = compute.local_timestamp(given.cast(pa.timestamp(given.type.unit, COPENHAGEN.key)))
    textual = pa.types.is_string(given.type) or pa.types.is_large_string(given.type)
    if textual != pa.types.is_string(field.type) and not pa.types.is_null(given.type):
        raise _unfit(given, field)
    try:
        return given.cast(field.type, safe=True)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _unfit(given, field) from None


def _unfit(given: pa.Array, field: pa.Field) -> DeliveryUnreadable:
    return DeliveryUnreadable(
        f"the column {field.name} is {given.type} in the file, and {field.type} in the contract",
        remedy="have it delivered in the contract's type",
    )
