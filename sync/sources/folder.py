"""Files from a folder of this machine."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Self

from sync.errors import FileUnsettled, SourceUnreachable
from sync.sources.names import wanted
from sync.sources.port import Offered


class Folder:
    """pattern    shell pattern of the file names
    trigger    a file is offered only when `<name>.trigger` lies beside it: written last, it is the sender's
               word that the file is whole
    """

    def __init__(self, path: Path, pattern: str, *, trigger: bool = False) -> None:
        self.path, self.pattern, self.trigger = path, pattern, trigger

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def offered(self, since: Mapping[str, str]) -> tuple[Offered, ...]:  # noqa: ARG002
        try:
            names = [entry.name for entry in self.path.iterdir() if entry.is_file()]
            return tuple(_offered(self.path / name) for name in wanted(names, self.pattern, trigger=self.trigger))
        except OSError as problem:
            raise SourceUnreachable(
                f"the folder of the source cannot be read: {problem.strerror}",
                remedy="make the folder, or mend the path of the source",
            ) from None

    @contextmanager
    def open(self, offered: Offered) -> Iterator[BinaryIO]:
        path = self.path / offered.name
        try:
            with path.open("rb") as stream:
                yield stream
            now = _offered(path)
        except FileNotFoundError:
            raise SourceUnreachable("a file of the source is gone", remedy="let the source be read again") from None
        if now != offered:
            raise FileUnsettled("the file changed while it was read", remedy="let the source be read again")


def _offered(path: Path) -> Offered:
    state = path.stat()
    return Offered(
        name=path.name,
        size_bytes=state.st_size,
        version=f"{state.st_size}-{state.st_mtime_ns}-{state.st_ino}",
        modified=datetime.fromtimestamp(state.st_mtime, UTC),
    )
