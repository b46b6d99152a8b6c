"""The port that a connector fills: which files there are, and their bytes."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A file that a source offers.

    name       unique within the source; files are loaded in the order of their names
    version    changes whenever the content may have; opaque
    modified   when it was last written, aware
    """

    name: str
    size_bytes: int
    version: str
    modified: datetime


class Connector(Protocol):
    def offered(self) -> tuple[Offered, ...]:
        """Files now there, sorted by name. Raises SourceUnreachable."""
        ...

    def open(self, offered: Offered) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file.

        Raises FileUnsettled on leaving when the file is not the same any more, SourceUnreachable when it is gone.
        """
        ...
