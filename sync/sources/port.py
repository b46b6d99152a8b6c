"""The port that a connector fills: which files there are, and their bytes."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, Protocol, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A file that a source offers.

    name       unique within the source; files are loaded in the order of their names
    version    changes whenever the content may have; opaque
    modified   when it was last written, aware
    position   where the connector stands once this file is loaded: a paged source's cursor, say
    """

    name: str
    size_bytes: int
    version: str
    modified: datetime
    position: Mapping[str, str] = field(default_factory=dict)


class Connector(Protocol):
    """Entered with `with`; on leaving it closes what it opened and removes what it spooled."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def offered(self, since: Mapping[str, str]) -> tuple[Offered, ...]:
        """Files now there, sorted by name.

        since   `position` of the last file that was loaded from this source, empty at the first

        Raises SourceUnreachable.
        """
        ...

    def open(self, offered: Offered) -> AbstractContextManager[BinaryIO]:
        """The bytes of a file. Opened twice in a run: to know it by its content, and to decode it.

        Raises FileUnsettled on leaving when the file is not the same any more, SourceUnreachable when it is gone.
        """
        ...
