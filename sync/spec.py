"""What a source is: where its files lie, how they are read, when, and how much may go wrong.

A `<dataset>.source.yaml` beside the contract describes one source. The models here are its edge; inside the
house a source is a SourceSpec.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from pathlib import Path

import yaml
from pydantic import BaseModel, Field, ValidationError

from kernel import DatasetId
from replica import Mode
from sync.calendar import Days, Expected
from sync.connectors import ConnectorBody, ConnectorSpec
from sync.decoders import DecoderBody, DecoderSpec
from sync.errors import SourceInvalid
from sync.schedule import Cron, Every, Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """mode                   delta: a file holds the rows that changed; full: a file holds all rows there are
    schedule               None: run by hand only
    expected               when a delivery must have been loaded; None when nothing is promised
    max_quarantine_share   of the rows of one file; above it nothing of the file is published
    max_deleted_share      of the rows of the mirror that one delivery may delete
    max_changed_share      of the rows of the mirror that one delivery may change
    fictitious             whoever wrote the file vouches that nobody in it lives: a test environment may take it
    """

    name: str
    dataset: DatasetId
    connector: ConnectorSpec
    decoder: DecoderSpec
    mode: Mode
    schedule: Schedule | None = None
    expected: Expected | None = None
    max_quarantine_share: float = 0.1
    max_deleted_share: float = 0.1
    max_changed_share: float = 1.0
    fictitious: bool = False


class _ScheduleBody(BaseModel, extra="forbid"):
    every_s: int | None = Field(default=None, ge=1)
    cron: str | None = None

    def to_schedule(self) -> Schedule:
        if (self.every_s is None) == (self.cron is None):
            raise SourceInvalid("a schedule has either every_s or cron", remedy="keep one of them")
        return Cron(self.cron) if self.cron is not None else Every(self.every_s or 0)


class _ExpectedBody(BaseModel, extra="forbid"):
    days: Days = Days.WORKING
    by: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")

    def to_expected(self) -> Expected:
        return Expected(days=self.days, by=time.fromisoformat(self.by))


class _SourceBody(BaseModel, extra="forbid"):
    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    dataset: str = Field(pattern=r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$")
    connector: ConnectorBody
    decoder: DecoderBody
    mode: Mode
    schedule: _ScheduleBody | None = None
    expected: _ExpectedBody | None = None
    max_quarantine_share: float = Field(default=0.1, ge=0, le=1)
    max_deleted_share: float = Field(default=0.1, ge=0, le=1)
    max_changed_share: float = Field(default=1.0, ge=0, le=1)
    fictitious: bool = False

    def to_spec(self, root: Path) -> SourceSpec:
        return SourceSpec(
            name=self.name,
            dataset=DatasetId(self.dataset),
            connector=self.connector.to_spec(root),
            decoder=self.decoder.to_spec(),
            mode=self.mode,
            schedule=self.schedule.to_schedule() if self.schedule else None,
            expected=self.expected.to_expected() if self.expected else None,
            max_quarantine_share=self.max_quarantine_share,
            max_deleted_share=self.max_deleted_share,
            max_changed_share=self.max_changed_share,
            fictitious=self.fictitious,
        )


def load_sources(*folders: Path, root: Path) -> tuple[SourceSpec, ...]:
    """All sources described below the folders, sorted by name.

    root   the instance's folder: relative paths in a source are below it

    Raises SourceInvalid.
    """
    found: dict[str, SourceSpec] = {}
    for path in source_files(folders):
        try:
            spec = read_source(yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader), root)
        except (ValidationError, yaml.YAMLError, SourceInvalid) as problem:
            raise SourceInvalid(f"{path.name}: {_said(problem)}", remedy="mend the file") from None
        if spec.name in found:
            raise SourceInvalid(f"{path.name}: there are two sources named {spec.name}", remedy="rename one")
        found[spec.name] = spec
    return tuple(found[name] for name in sorted(found))


def read_source(value: object, root: Path) -> SourceSpec:
    """The source that the values of a file describe. Raises ValidationError, SourceInvalid."""
    return _SourceBody.model_validate(value).to_spec(root)


def source_fields() -> frozenset[str]:
    """What may stand at the top of a source file."""
    return frozenset(_SourceBody.model_fields)


def source_files(folders: tuple[Path, ...]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(folder.rglob("*.source.yaml"))


def _said(problem: ValidationError | yaml.YAMLError | SourceInvalid) -> str:
    if isinstance(problem, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problem.errors(include_url=False))
    return str(problem)
