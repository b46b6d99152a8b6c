"""What every kind of connector gives: a way to connect."""

from pathlib import Path
from typing import Protocol

from sync.sources.port import Connector


class ConnectorSpec(Protocol):
    def connect(self, work: Path) -> Connector:
        """A connector, to be entered with `with`.

        work   a private folder of the run, in which it may spool; removed when the run ends

        Raises SourceInvalid when a secret that the source names is not there.
        """
        ...
