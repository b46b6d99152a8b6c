"""How a source's files are read: the part `decoder` of a source file, and what it makes.

A kind of decoder is a body (its edge in YAML) and a spec (its value inside the house). The union at the end is the
list of kinds.
"""

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, Field

from schemas import Dataset
from sync.sources.cpr import CprDecoder, load_layout
from sync.sources.csv_table import CsvDecoder
from sync.sources.decoded import Decoder


class DecoderSpec(Protocol):
    def decoder(self, dataset: Dataset) -> Decoder:
        """Raises SourceMisfit when the decoder cannot give rows of this dataset."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CprSpec:
    layout: str = "a"
    strict: bool = True
    strict_chain: bool = False

    def decoder(self, dataset: Dataset) -> Decoder:
        layout = load_layout(self.layout)
        return CprDecoder(layout, dataset.arrow, strict=self.strict, strict_chain=self.strict_chain)


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvSpec:
    delimiter: str = ","
    encoding: str = "utf-8"

    def decoder(self, dataset: Dataset) -> Decoder:
        return CsvDecoder(dataset, delimiter=self.delimiter, encoding=self.encoding)


class CprBody(BaseModel, extra="forbid"):
    kind: Literal["cpr"]
    layout: Literal["a"] = "a"
    strict: bool = True
    strict_chain: bool = False

    def to_spec(self) -> CprSpec:
        return CprSpec(layout=self.layout, strict=self.strict, strict_chain=self.strict_chain)


class CsvBody(BaseModel, extra="forbid"):
    kind: Literal["csv"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "iso-8859-1"] = "utf-8"

    def to_spec(self) -> CsvSpec:
        return CsvSpec(delimiter=self.delimiter, encoding=self.encoding)


DecoderBody = Annotated[CprBody | CsvBody, Field(discriminator="kind")]
