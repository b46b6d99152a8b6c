"""Where a connector keeps what it fetched from a peer, while it is loaded."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self


class Spool:
    """One file at a time, in a private folder that is gone when the `with` block ends.

    A file holds personal data and may be as large as the disk has room for, so the former one goes before the next
    is fetched. What a killed run left is removed with the run's work folder, by the next run.
    """

    def __init__(self, work: Path) -> None:
        self.folder = work / "spool"

    def __enter__(self) -> Self:
        self.folder.mkdir(mode=0o700, parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def path(self) -> Path:
        """The file; its name is ours, whatever the peer calls it."""
        return self.folder / "file"

    @contextmanager
    def fill(self) -> Iterator[BinaryIO]:
        """A new file in place of the former one. It is there only if the block ends well."""
        self.path.unlink(missing_ok=True)
        try:
            with self.path.open("wb") as stream:
                yield stream
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise
