"""Files in a folder of another machine: listed, fetched whole into the spool, and read from there."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self

from sync.errors import FileUnsettled, SourceFaulty, SourceUnreachable
from sync.sources.names import wanted
from sync.sources.port import Offered
from sync.sources.spool import Spool


class Place(Protocol):
    """A folder on a peer, while the session with it is open. Names come from the peer and are not to be trusted."""

    def files(self) -> tuple[Offered, ...]:
        """Files now there, in any order, those that accompany others included."""
        ...

    def state(self, name: str) -> Offered:
        """A file as it is now. Raises SourceUnreachable when it is gone."""
        ...

    def blocks(self, offered: Offered) -> AbstractContextManager[Iterator[bytes]]:
        """The bytes of a file; more than `offered.size_bytes` when the peer has more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """pattern     shell pattern of the file names
    trigger     a file is offered only when `<name>.trigger` lies beside it
    max_bytes   of one file; a larger one is not fetched
    deadline_s  for fetching one file
    """

    pattern: str = "*"
    trigger: bool = False
    max_bytes: int = 100_000_000_000
    deadline_s: float = 3600.0


class RemoteFolder:
    """connect   opens a session with the peer; raises SourceUnreachable, SourceDenied, SourceUntrusted"""

    def __init__(self, connect: Callable[[], AbstractContextManager[Place]], selection: Selection, work: Path) -> None:
        self._connect, self._selection, self._spool = connect, selection, Spool(work)
        self._open = ExitStack()
        self._place: Place | None = None
        self._fetched: Offered | None = None

    def __enter__(self) -> Self:
        self._open.enter_context(self._spool)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def offered(self, since: Mapping[str, str]) -> tuple[Offered, ...]:  # noqa: ARG002
        there = {each.name: each for each in self._peer().files()}
        names = wanted(there, self._selection.pattern, trigger=self._selection.trigger)
        return tuple(there[name] for name in names)

    @contextmanager
    def open(self, offered: Offered) -> Iterator[BinaryIO]:
        if self._fetched != offered:
            self._fetched = None
            self._fetch(offered)
            self._fetched = offered
        with self._spool.path.open("rb") as stream:
            yield stream

    def _peer(self) -> Place:
        if self._place is None:
            self._place = self._open.enter_context(self._connect())
        return self._place

    def _fetch(self, offered: Offered) -> None:
        place, limits = self._peer(), self._selection
        if offered.size_bytes > limits.max_bytes:
            raise SourceFaulty(
                f"a file of the source has {offered.size_bytes:,} bytes, more than the {limits.max_bytes:,} allowed",
                remedy="check it; if it is right, raise max_bytes of the source",
            )
        end, came = time.monotonic() + limits.deadline_s, 0
        _same(offered, place.state(offered.name))
        with self._spool.fill() as spool:
            with place.blocks(offered) as blocks:
                for block in blocks:
                    came += spool.write(block)
                    if came > offered.size_bytes:
                        break
                    if time.monotonic() > end:
                        raise SourceUnreachable(
                            f"a file of the source did not come within {limits.deadline_s:g} s",
                            remedy="try again later, or raise deadline_s of the source",
                        )
            _same(offered, place.state(offered.name))
            if came != offered.size_bytes:
                raise SourceFaulty(
                    f"the source says that a file has {offered.size_bytes:,} bytes, and gave "
                    f"{'more' if came > offered.size_bytes else f'{came:,}'}",
                    remedy="let the source be read again; if it stays so, its owner must look",
                )


def _same(offered: Offered, now: Offered) -> None:
    if (offered.size_bytes, offered.version) != (now.size_bytes, now.version):
        raise FileUnsettled("the file changed while it was read", remedy="let the source be read again")
