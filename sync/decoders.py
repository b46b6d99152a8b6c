"""How a source's files are read: the part `decoder` of a source file, and what it makes.

A kind of decoder is a body (its edge in YAML) and a spec (its value inside the house). The union at the end is the
list of kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol, Self

from pydantic import BaseModel, Field, model_validator

from schemas import Dataset
from sync.sources.cpr import CprDecoder, Manner, load_layout
from sync.sources.csv_table import CsvDecoder
from sync.sources.cvr import company_row, unit_row
from sync.sources.decoded import Decoder
from sync.sources.json_documents import JsonDecoder, compiled_path, mapped
from sync.sources.ndjson import NdjsonDecoder
from sync.sources.operation import Operation
from sync.sources.parquet import ParquetDecoder
from sync.sources.xml import XmlDecoder


class DecoderSpec(Protocol):
    def decoder(self, dataset: Dataset) -> Decoder:
        """Raises SourceMisfit when the decoder cannot give rows of this dataset."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CprSpec:
    """person_length   of record 001 in layout A, when it is another version's; None: as the layout's table says"""

    layout: str = "a"
    person_length: int | None = None
    manner: Manner = field(default_factory=Manner)

    def decoder(self, dataset: Dataset) -> Decoder:
        layout = load_layout(self.layout)
        if self.person_length is not None:
            layout = layout.with_lengths({"001": self.person_length})
        return CprDecoder(layout, dataset.arrow, self.manner)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSpec:
    delimiter: str = ","
    encoding: str = "utf-8"

    def decoder(self, dataset: Dataset) -> Decoder:
        return CsvDecoder(dataset, delimiter=self.delimiter, encoding=self.encoding)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParquetSpec:
    def decoder(self, dataset: Dataset) -> Decoder:
        return ParquetDecoder(dataset)


@dataclass(frozen=True, slots=True, kw_only=True)
class NdjsonSpec:
    """operation   where each line tells whether its row is gone; None: every row is there"""

    operation: Operation | None = None

    def decoder(self, dataset: Dataset) -> Decoder:
        return NdjsonDecoder(dataset, self.operation)


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonSpec:
    """mapping   columns by JMESPath expressions; None: the record's fields are the columns"""

    records: str = "@"
    per_line: bool = False
    mapping: Mapping[str, str] | None = None

    def decoder(self, dataset: Dataset) -> Decoder:
        compiled_path(self.records)
        row_of = dict if self.mapping is None else mapped(self.mapping, dataset)
        return JsonDecoder(dataset, row_of, records=self.records, per_line=self.per_line)


@dataclass(frozen=True, slots=True, kw_only=True)
class CvrSpec:
    """unit       which kind of unit the documents are of
    per_line   a document on each line, instead of one answer of the search
    """

    unit: Literal["company", "unit"]
    per_line: bool = False

    def decoder(self, dataset: Dataset) -> Decoder:
        name, row_of = {"company": ("Vrvirksomhed", company_row), "unit": ("VrproduktionsEnhed", unit_row)}[self.unit]
        # Hits, and not the documents within: one of another kind is held back then, and not left out.
        records = "@" if self.per_line else "hits.hits"
        return JsonDecoder(
            dataset, lambda hit: row_of(hit.get("_source", hit)[name]), records=records, per_line=self.per_line
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class XmlSpec:
    """See XmlDecoder."""

    record: str
    mapping: Mapping[str, str]
    namespaces: Mapping[str, str] = field(default_factory=dict)

    def decoder(self, dataset: Dataset) -> Decoder:
        return XmlDecoder(dataset, self.record, self.mapping, self.namespaces)


class CprBody(BaseModel, extra="forbid"):
    kind: Literal["cpr"]
    layout: Literal["a", "b", "roads", "authorities"] = "a"
    person_length: Literal[106, 121] | None = None
    encoding: Literal["utf-8", "iso-8859-1"] = "iso-8859-1"
    separated: bool = True
    enveloped: bool = True
    strict: bool | None = None
    strict_chain: bool = False

    def to_spec(self) -> CprSpec:
        manner = Manner(
            encoding=self.encoding,
            separated=self.separated,
            enveloped=self.enveloped,
            # The count in layout B's end record is a constant in every delivery seen so far.
            strict=self.layout != "b" if self.strict is None else self.strict,
            strict_chain=self.strict_chain,
        )
        return CprSpec(layout=self.layout, person_length=self.person_length, manner=manner)


class CsvBody(BaseModel, extra="forbid"):
    kind: Literal["csv"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "iso-8859-1"] = "utf-8"

    def to_spec(self) -> CsvSpec:
        return CsvSpec(delimiter=self.delimiter, encoding=self.encoding)


class OperationBody(BaseModel, extra="forbid"):
    column: str = Field(min_length=1)
    delete: frozenset[str] = Field(min_length=1)
    upsert: frozenset[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _ensure_apart(self) -> Self:
        if self.delete & self.upsert:
            raise ValueError("the same text says that a row is gone and that it is there")
        return self

    def to_spec(self) -> Operation:
        return Operation(column=self.column, delete=self.delete, upsert=self.upsert)


class NdjsonBody(BaseModel, extra="forbid"):
    kind: Literal["ndjson"]
    operation: OperationBody | None = None

    def to_spec(self) -> NdjsonSpec:
        return NdjsonSpec(operation=self.operation.to_spec() if self.operation else None)


class ParquetBody(BaseModel, extra="forbid"):
    kind: Literal["parquet"]

    def to_spec(self) -> ParquetSpec:
        return ParquetSpec()


class JsonBody(BaseModel, extra="forbid"):
    kind: Literal["json"]
    records: str = "@"
    per_line: bool = False
    mapping: dict[str, str] | None = None

    def to_spec(self) -> JsonSpec:
        return JsonSpec(records=self.records, per_line=self.per_line, mapping=self.mapping)


class CvrBody(BaseModel, extra="forbid"):
    kind: Literal["cvr"]
    unit: Literal["company", "unit"]
    per_line: bool = False

    def to_spec(self) -> CvrSpec:
        return CvrSpec(unit=self.unit, per_line=self.per_line)


class XmlBody(BaseModel, extra="forbid"):
    kind: Literal["xml"]
    record: str = Field(min_length=1)
    mapping: dict[str, str] = Field(min_length=1)
    namespaces: dict[str, str] = {}

    def to_spec(self) -> XmlSpec:
        return XmlSpec(record=self.record, mapping=self.mapping, namespaces=self.namespaces)


DecoderBody = Annotated[
    CprBody | CsvBody | CvrBody | JsonBody | NdjsonBody | ParquetBody | XmlBody, Field(discriminator="kind")
]
