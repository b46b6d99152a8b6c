"""The forms that a consumer's copy can have: NDJSON, CSV (the Danish forms too), Parquet, the Arrow stream; each as it
is or packed with gzip or zstd. Read batch by batch, told as the NDJSON that digests are made of, and written again.
"""

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from extract import Format
from extract.formats import encode
from extract.formats.compressing import compressed
from extract.formats.json_text import joined, json_lines, json_texts
from runtime.copy_file import BOM, HEAD_BYTES, CopyUnreadable, File, reading

READ_BYTES: Final = 8 * 1024 * 1024
"""Of text at once: more than a row has."""
ROWS: Final = 8_192
LINE: Final = "line"
_NEWLINE: Final = b"\n"

Batches = Iterable[pa.RecordBatch]


class Form(ABC):
    """A copy as rows of a schema of its own, the key among the columns."""

    def __init__(self, file: File) -> None:
        self.file = file

    @property
    @abstractmethod
    def schema(self) -> pa.Schema: ...

    @abstractmethod
    def batches(self) -> Iterator[pa.RecordBatch]:
        """Raises CopyUnreadable."""

    @abstractmethod
    def text(self, batch: pa.RecordBatch) -> bytes:
        """The rows as NDJSON, as an extract has them."""

    @abstractmethod
    def taken(self, answer: bytes) -> pa.RecordBatch:
        """The rows of an answer with Arrow in it."""

    def written(self, batches: Batches) -> Iterator[bytes | memoryview]:
        """The pieces of a file of the same form."""
        return encode(self.file.format, self.schema, batches, self.file.compression)


class Lines(Form):
    """NDJSON: a row is the line that it stands on, byte for byte."""

    def __init__(self, file: File, key: str) -> None:
        super().__init__(file)
        self._key = key

    @property
    def schema(self) -> pa.Schema:
        return pa.schema({self._key: pa.string(), LINE: pa.large_binary()})

    def batches(self) -> Iterator[pa.RecordBatch]:
        number = 0
        with self.file.opened() as stream, reading("NDJSON"):
            for lines in _whole_lines(stream):
                yield self._batch(lines, number)
                number += len(lines)

    def text(self, batch: pa.RecordBatch) -> bytes:
        return b"".join(batch.column(LINE).to_pylist())

    def taken(self, answer: bytes) -> pa.RecordBatch:
        with pa.ipc.open_stream(answer) as reader:
            text = b"".join(map(json_lines, reader))
        return self._batch(text.splitlines(keepends=True), 0)

    def written(self, batches: Batches) -> Iterator[bytes | memoryview]:
        return compressed(map(self.text, batches), self.file.compression)

    def _batch(self, lines: Sequence[bytes], before: int) -> pa.RecordBatch:
        keys = []
        for number, line in enumerate(lines, before + 1):
            try:
                key = orjson.loads(line)[self._key]
            except (ValueError, KeyError, TypeError):
                key = None
            if not isinstance(key, str):
                raise CopyUnreadable(
                    f"line {number} of the copy is no row with {self._key}",
                    remedy="fetch the extract anew when the copy is damaged beyond reading",
                )
            keys.append(key)
        return pa.record_batch([pa.array(keys, pa.string()), pa.array(lines, pa.large_binary())], schema=self.schema)


class Columns(Form):
    """Parquet and the Arrow stream: the columns as the platform has them. shown   their schema"""

    def __init__(self, file: File, shown: pa.Schema) -> None:
        super().__init__(file)
        self._shown = shown

    @property
    def schema(self) -> pa.Schema:
        return self._shown

    def batches(self) -> Iterator[pa.RecordBatch]:
        if self.file.empty:
            return
        with reading(str(self.file.format)), self._raw() as batches:
            for batch in batches:
                yield batch.select(self._shown.names).cast(self._shown)

    def text(self, batch: pa.RecordBatch) -> bytes:
        return json_lines(batch)

    def taken(self, answer: bytes) -> pa.RecordBatch:
        with pa.ipc.open_stream(answer) as reader:
            return _one(list(reader), self._shown)

    @contextmanager
    def _raw(self) -> Iterator[Iterator[pa.RecordBatch]]:
        if self.file.format is Format.ARROW:
            with self.file.opened() as stream, pa.ipc.open_stream(stream) as reader:
                yield iter(reader)
            return
        with _parquet(self.file.path) as parquet:
            yield parquet.iter_batches(ROWS)


class Texts(Form):
    """CSV: nested columns are JSON, and stay so. shown   the schema as the platform has it"""

    def __init__(self, file: File, shown: pa.Schema) -> None:
        super().__init__(file)
        self._shown = shown
        self._nested = {field.name for field in shown if pa.types.is_nested(field.type)}

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([(each.name, pa.string() if each.name in self._nested else each.type) for each in self._shown])

    def batches(self) -> Iterator[pa.RecordBatch]:
        if self.file.empty:
            return
        with self.file.opened() as stream, reading("CSV"):
            yield from _csv(stream, self.file.format, self.schema)

    def text(self, batch: pa.RecordBatch) -> bytes:
        if not batch.num_rows:
            return b""
        pieces: list[str | pa.Array] = ["{"]
        for number, (name, column) in enumerate(zip(batch.schema.names, batch, strict=True)):
            pieces.append(f"{',' if number else ''}{json.dumps(name, ensure_ascii=False)}:")
            pieces.append(pc.fill_null(column if name in self._nested else json_texts(column), "null"))
        # What joins of pieces make has no offset: its buffer is the lines, one after the other.
        *_, text = joined([*pieces, "}\n"], batch.num_rows).buffers()
        return bytes(text)

    def taken(self, answer: bytes) -> pa.RecordBatch:
        with pa.ipc.open_stream(answer) as reader:
            batch = _one(list(reader), self._shown)
        columns = [
            json_texts(column) if name in self._nested else column
            for name, column in zip(batch.schema.names, batch, strict=True)
        ]
        return pa.record_batch(columns, schema=self.schema)


def names_of(file: File) -> list[str] | None:
    """The columns that a copy says it has; None where its rows say it, or nothing does. Raises CopyUnreadable."""
    if file.empty:
        return None
    with reading(str(file.format)):
        match file.format:
            case Format.NDJSON:
                return None
            case Format.PARQUET:
                with _parquet(file.path) as parquet:
                    return list(parquet.schema_arrow.names)
            case Format.ARROW:
                with file.opened() as stream, pa.ipc.open_stream(stream) as reader:
                    return list(reader.schema.names)
            case _:
                with file.opened() as stream:
                    head = stream.read(HEAD_BYTES).removeprefix(BOM).decode()
                return next(csv.reader(io.StringIO(head, newline=""), delimiter=_delimiter(file.format)), [])


def form_of(file: File, key: str, shown: pa.Schema) -> Form:
    """shown   the columns as the platform has them"""
    match file.format:
        case Format.NDJSON:
            return Lines(file, key)
        case Format.PARQUET | Format.ARROW:
            return Columns(file, shown)
        case _:
            return Texts(file, shown)


def _delimiter(kind: Format) -> str:
    return "," if kind is Format.CSV else ";"


def _csv(stream: pa.NativeFile, kind: Format, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    reader = pyarrow.csv.open_csv(
        stream,
        pyarrow.csv.ReadOptions(block_size=READ_BYTES),
        pyarrow.csv.ParseOptions(delimiter=_delimiter(kind), newlines_in_values=True, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            strings_can_be_null=True,
            # An empty text stands in quotation marks, a null without.
            quoted_strings_can_be_null=False,
            decimal_point="." if kind is Format.CSV else ",",
        ),
    )
    with reader:
        for batch in reader:
            chosen = batch.select(schema.names)
            for start in range(0, chosen.num_rows, ROWS):
                yield chosen.slice(start, ROWS)


def _whole_lines(stream: pa.NativeFile) -> Iterator[list[bytes]]:
    held = b""
    while piece := stream.read(READ_BYTES):
        text, mark, held = (held + piece).rpartition(_NEWLINE)
        # Not splitlines(): what a JSON text holds is no end of a line.
        yield [line + _NEWLINE for line in (text + mark).split(_NEWLINE)[:-1]]
    if held:
        yield [held + _NEWLINE]


@contextmanager
def _parquet(path: Path) -> Iterator[pq.ParquetFile]:
    with pa.memory_map(str(path)) as mapped, pq.ParquetFile(mapped) as file:
        yield file


def _one(batches: list[pa.RecordBatch], schema: pa.Schema) -> pa.RecordBatch:
    return pa.concat_batches(batches) if batches else pa.RecordBatch.from_pylist([], schema)
