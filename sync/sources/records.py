"""Records that are read one by one, as rows: what JSON and XML have alike."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa

from schemas import Dataset
from sync.sources.decoded import FAULTS, ORIGIN, QUARANTINED, Decoded, Tell
from sync.sources.json_values import Misfit, fitted_fields
from sync.sources.row_file import OrderedRows, RowFile

RECORDS_AT_ONCE: Final = 10_000
TEXTS: Final = pa.schema([("text", pa.string())])

RowOf = Callable[[Any], dict[str, Any]]
"""A record as columns and values. Raises Misfit, KeyError, TypeError, ValueError for one that is not of its kind."""


def decode_records(
    records: Iterator[tuple[str, Any]], row_of: RowOf, dataset: Dataset, tell: Tell, work: Path
) -> Decoded:
    """records   text and value of each, in the order of their numbers; a Misfit for one that cannot be read"""
    taken = _Taken(dataset, work)
    with RowFile(work, dataset.arrow, dataset.key) as kept, pa.ipc.new_file(str(work / "texts"), TEXTS) as texts:
        for batch in _batches(records):
            texts.write_batch(pa.RecordBatch.from_pydict({"text": [text for text, _ in batch]}, TEXTS))
            kept.add(pa.RecordBatch.from_pylist(taken.rows(batch, row_of), dataset.arrow))
            tell("rows", len(batch))
    rows = kept.ordered()
    return taken.decoded(rows)


@dataclass(slots=True)
class _Taken:
    """What became of the records so far."""

    dataset: Dataset
    work: Path
    places: list[int] = field(default_factory=list)
    faults: list[tuple[int, str, str]] = field(default_factory=list)
    count: int = 0

    def rows(self, batch: list[tuple[str, Any]], row_of: RowOf) -> list[dict[str, Any]]:
        """Rows of those records that fit; `places` gets their numbers, from 0."""
        columns = tuple(column for column in self.dataset.columns if column.derived is None)
        found = []
        for _, record in batch:
            try:
                if isinstance(record, Misfit):
                    raise record
                found.append(fitted_fields(columns, row_of(record)))
                self.places.append(self.count)
            except Misfit as misfit:
                self.faults.append((self.count + 1, misfit.rule, misfit.reason))
            except (KeyError, TypeError, ValueError, AttributeError):
                self.faults.append((self.count + 1, "malformed", "the record is not of the kind that the source holds"))
            self.count += 1
        return found

    def decoded(self, rows: OrderedRows) -> Decoded:
        with pa.memory_map(str(self.work / "texts")) as source:
            texts = pa.ipc.open_file(source).read_all()["text"]
        key = self.dataset.key
        keyless = [(self.places[at] + 1, "required", f"{key}: nothing there") for at in rows.missing.tolist()]
        shared = [(self.places[at] + 1, "unique", f"{key}: on several records") for at in rows.shared.tolist()]
        held = pl.DataFrame([*self.faults, *keyless, *shared], schema=FAULTS, orient="row").sort("line")
        told = texts.take(pa.array((held["line"] - 1).to_list(), pa.int64()))
        quarantine = held.with_columns(text=pl.Series("text", pl.from_arrow(told), pl.String))
        return Decoded(
            rows=rows.rows,
            origin=_Records(rows, texts, self.places, key),
            quarantine=quarantine.select(QUARANTINED.names()),
            as_of=None,
            lines_in=self.count,
            lines_envelope=0,
            rows_in=self.count,
            rows_quarantined=held.height,
        )


@dataclass(frozen=True, slots=True)
class _Records:
    """Records by their number; `places` says which record each row that came was made of."""

    rows: OrderedRows
    texts: pa.ChunkedArray
    places: list[int]
    key: str

    @property
    def height(self) -> int:
        return int(self.rows.rows.num_rows)

    def lines(self, keys: pl.Series) -> pl.DataFrame:
        came = self.rows.places(keys)
        records = [self.places[at] for at in came.tolist()]
        told = {
            "key": self.rows.given[self.key].take(pa.array(came)).to_pylist(),
            "line": [record + 1 for record in records],
            "text": self.texts.take(pa.array(records, pa.int64())).to_pylist(),
        }
        return pl.DataFrame(told, schema=ORIGIN)


def _batches(records: Iterator[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    batch: list[tuple[str, Any]] = []
    for record in records:
        batch.append(record)
        if len(batch) == RECORDS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
