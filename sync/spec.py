"""What a source is: where its files lie, how they are read, when, and how much may go wrong.

A `<dataset>.source.yaml` beside the contract describes one source. The models here are its edge; inside the
house a source is a SourceSpec.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError

from kernel import DatasetId
from replica import Mode
from schemas import Dataset
from sync.errors import SourceInvalid
from sync.schedule import Cron, Every, Schedule
from sync.sources.cpr import CprDecoder, load_layout
from sync.sources.csv_table import CsvDecoder
from sync.sources.decoded import Decoder
from sync.sources.folder import Folder
from sync.sources.port import Connector


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSpec:
    path: Path
    pattern: str
    trigger: bool = False

    def connect(self) -> Connector:
        return Folder(self.path, self.pattern, trigger=self.trigger)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """mode                   delta: a file holds the rows that changed; full: a file holds all rows there are
    schedule               None: run by hand only
    max_quarantine_share   of the rows of one file; above it nothing of the file is published
    max_deleted_share      of the rows of the mirror that one full load may delete
    """

    name: str
    dataset: DatasetId
    connector: FolderSpec
    decoder: CprSpec | CsvSpec
    mode: Mode
    schedule: Schedule | None = None
    max_quarantine_share: float = 0.1
    max_deleted_share: float = 0.1


class _FolderBody(BaseModel, extra="forbid"):
    kind: Literal["folder"]
    path: Path
    pattern: str = "*"
    trigger: bool = False


class _CprBody(BaseModel, extra="forbid"):
    kind: Literal["cpr"]
    layout: Literal["a"] = "a"
    strict: bool = True
    strict_chain: bool = False

    def to_spec(self) -> CprSpec:
        return CprSpec(layout=self.layout, strict=self.strict, strict_chain=self.strict_chain)


class _CsvBody(BaseModel, extra="forbid"):
    kind: Literal["csv"]
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    encoding: Literal["utf-8", "iso-8859-1"] = "utf-8"

    def to_spec(self) -> CsvSpec:
        return CsvSpec(delimiter=self.delimiter, encoding=self.encoding)


class _ScheduleBody(BaseModel, extra="forbid"):
    every_s: int | None = Field(default=None, ge=1)
    cron: str | None = None

    def to_schedule(self) -> Schedule:
        if (self.every_s is None) == (self.cron is None):
            raise SourceInvalid("a schedule has either every_s or cron", remedy="keep one of them")
        return Cron(self.cron) if self.cron is not None else Every(self.every_s or 0)


class _SourceBody(BaseModel, extra="forbid"):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    dataset: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    connector: _FolderBody
    decoder: Annotated[_CprBody | _CsvBody, Field(discriminator="kind")]
    mode: Mode
    schedule: _ScheduleBody | None = None
    max_quarantine_share: float = Field(default=0.1, ge=0, le=1)
    max_deleted_share: float = Field(default=0.1, ge=0, le=1)

    def to_spec(self, root: Path) -> SourceSpec:
        return SourceSpec(
            name=self.name,
            dataset=DatasetId(self.dataset),
            connector=FolderSpec(
                path=root / self.connector.path, pattern=self.connector.pattern, trigger=self.connector.trigger
            ),
            decoder=self.decoder.to_spec(),
            mode=self.mode,
            schedule=self.schedule.to_schedule() if self.schedule else None,
            max_quarantine_share=self.max_quarantine_share,
            max_deleted_share=self.max_deleted_share,
        )


def load_sources(*folders: Path, root: Path) -> tuple[SourceSpec, ...]:
    """All sources described below the folders, sorted by name.

    root   the instance's folder: relative paths in a source are below it

    Raises SourceInvalid.
    """
    found: dict[str, SourceSpec] = {}
    for path in _files(folders):
        try:
            spec = _SourceBody.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).to_spec(root)
        except (ValidationError, yaml.YAMLError, SourceInvalid) as problem:
            raise SourceInvalid(f"{path.name}: {_said(problem)}", remedy="mend the file") from None
        if spec.name in found:
            raise SourceInvalid(f"{path.name}: there are two sources named {spec.name}", remedy="rename one")
        found[spec.name] = spec
    return tuple(found[name] for name in sorted(found))


def _files(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.source.yaml"))


def _said(problem: ValidationError | yaml.YAMLError | SourceInvalid) -> str:
    if isinstance(problem, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors(include_url=False))
    return str(problem)
