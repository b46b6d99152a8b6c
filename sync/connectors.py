"""Where a source's files come from: the part `connector` of a source file, and what it makes.

A kind of connector is a body (its edge in YAML) and a spec (its value inside the house). The union at the end is the
list of kinds.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import BaseModel, Field

from sync.sources.folder import Folder
from sync.sources.port import Connector


class ConnectorSpec(Protocol):
    def connect(self, work: Path) -> Connector:
        """A connector, to be entered with `with`.

        work   a private folder of the run, in which it may spool; removed when the run ends
        """
        ...


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


ConnectorBody = Annotated[FolderBody, Field()]
