"""The JSON decoder: records in one document, or one document per line.

What of a record goes into which column is said by a mapping, or the record's fields are the columns. A record that
cannot be read is held back with its number; a document that was cut off is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import jmespath
import orjson

from schemas import Dataset
from sync.errors import DeliveryUnreadable, SourceInvalid, SourceMisfit
from sync.sources.decoded import Decoded, Tell
from sync.sources.json_values import Misfit
from sync.sources.records import RowOf, decode_records

REPLAYED: Final = "knudepunkt:records"
"""The one field of a document that `again` makes: held-back records alone, whatever lay around them."""


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
        return decode_records(self._records(stream, tell), self.row_of, self.dataset, tell, work)

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
