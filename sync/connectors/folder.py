"""A folder of this machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from sync.sources.folder import Folder
from sync.sources.port import Connector


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderSpec:
    path: Path
    pattern: str
    trigger: bool = False

    def connect(self, work: Path) -> Connector:  # noqa: ARG002
        return Folder(self.path, self.pattern, trigger=self.trigger)


class FolderBody(BaseModel, extra="forbid"):
    kind: Literal["folder"]
    path: Path
    pattern: str = "*"
    trigger: bool = False

    def to_spec(self, root: Path) -> FolderSpec:
        return FolderSpec(path=root / self.path, pattern=self.pattern, trigger=self.trigger)
