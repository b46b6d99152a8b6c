"""The JSON decoder: records in one document, or one document per line.

What of a record goes into which column is said by a mapping, or the record's fields are the columns. A record that
cannot be read is held back with its number; a document that was cut off is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

import jmespath
import orjson
import polars as pl
import pyarrow as pa

from schemas import Dataset
from sync.errors import DeliveryUnreadable, SourceInvalid, SourceMisfit
from sync.sources.decoded import FAULTS, ORIGIN, QUARANTINED, Decoded, Tell
from sync.sources.json_values import Misfit, fitted_fields
from sync.sources.row_file import OrderedRows, RowFile

RECORDS_AT_ONCE: Final = 10_000
REPLAYED: Final = "knudepunkt:records"
"""The one field of a document that `again` makes: held-back records alone, whatever lay around them."""
TEXTS: Final = pa.schema([("text", pa.string())])

RowOf = Callable[[Any], dict[str, Any]]
"""A record as columns and values. Raises Misfit, KeyError, TypeError, ValueError for one that is not of its kind."""


def compiled_path(path: str) -> Any:
    """Raises SourceInvalid for what is no JMESPath expression."""
    try:
        return jmespath.compile(path)
    except jmespath.exceptions.JMESPathError:
        raise SourceInvalid(f"{path} is no JMESPath expression", remedy="mend the expression") from None


def mapped(mapping: Mapping[str, str], dataset: Dataset) -> RowOf:
    """Columns by JMESPath expressions. Raises SourceInvalid, and SourceMisfit for a column that nobody delivers."""
    delivered = {column.name for column in dataset.columns if column.derived is None}
    if strange := sorted(mapping.keys() - delivered):
        raise SourceMisfit(
            f"the mapping names what is no column to be delivered: {', '.join(strange)}", remedy="mend the mapping"
        )
    compiled = {column: compiled_path(path) for column, path in mapping.items()}
    return lambda record: {column: path.search(record) for column, path in compiled.items()}


@dataclass(frozen=True, slots=True)
class JsonDecoder:
    """records    where in the document the records are, as a JMESPath expression; "@" for the document itself
    per_line   a document on each line, instead of one in the file
    row_of     what of a record goes into which column
    """

    dataset: Dataset
    row_of: RowOf
    records: str = "@"
    per_line: bool = False

    def decode(self, stream: BinaryIO, former: Mapping[str, str], tell: Tell, work: Path) -> Decoded:  # noqa: ARG002
        taken = _Taken(self.dataset, work)
        dataset = self.dataset
        with RowFile(work, dataset.arrow, dataset.key) as kept, pa.ipc.new_file(str(work / "texts"), TEXTS) as texts:
            for batch in _batches(self._records(stream, tell)):
                texts.write_batch(pa.RecordBatch.from_pydict({"text": [text for text, _ in batch]}, TEXTS))
                kept.add(pa.RecordBatch.from_pylist(taken.rows(batch, self.row_of), dataset.arrow))
                tell("rows", len(batch))
        rows = kept.ordered()
        return taken.decoded(rows)

    def again(self, frame: str, lines: Sequence[str]) -> bytes:  # noqa: ARG002
        if self.per_line:
            return "\n".join([*map(self._line, lines), ""]).encode()
        return _framed(",".join(lines)).encode()

    def _records(self, stream: BinaryIO, tell: Tell) -> Iterator[tuple[str, Any]]:
        """Text and value of each record; the value is a Misfit where the text is not JSON."""
        if self.per_line:
            for line in _lines(stream, tell):
                try:
                    found = self._found(orjson.loads(line))
                except orjson.JSONDecodeError:
                    found = None
                if found is None:
                    yield line.decode("utf-8", "replace"), Misfit("malformed", "the line holds no records")
                    continue
                for record in _listed(found):
                    yield orjson.dumps(record).decode(), record
            return
        data = stream.read()
        tell("bytes", len(data))
        try:
            document = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise DeliveryUnreadable(
                "the file is not one whole JSON document", remedy="have it delivered again"
            ) from None
        found = self._found(document)
        if found is None:
            raise DeliveryUnreadable(
                "the document has nothing where the source says that its records are",
                remedy="check `records` of the source",
            )
        for record in _listed(found):
            yield orjson.dumps(record).decode(), record

    def _line(self, text: str) -> str:
        """A held-back line as it is; a held-back record of a line in a frame of our own."""
        try:
            document = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return text if self._found(document) is not None else _framed(text)

    def _found(self, document: Any) -> Any:
        """None where no records are."""
        if isinstance(document, dict) and document.keys() == {REPLAYED}:
            return document[REPLAYED]
        try:
            return compiled_path(self.records).search(document)
        except jmespath.exceptions.JMESPathError:
            # A function that was given a value of another type than it takes.
            return None


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


def _framed(records: str) -> str:
    return f'{{"{REPLAYED}":[{records}]}}'


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _lines(stream: BinaryIO, tell: Tell) -> Iterator[bytes]:
    """Lines that hold anything."""
    rest = b""
    while block := stream.read(1024 * 1024):
        tell("bytes", len(block))
        *whole, rest = (rest + block).split(b"\n")
        yield from (line for line in whole if line.strip())
    if rest.strip():
        yield rest


def _batches(records: Iterator[tuple[str, Any]]) -> Iterator[list[tuple[str, Any]]]:
    batch: list[tuple[str, Any]] = []
    for record in records:
        batch.append(record)
        if len(batch) == RECORDS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
