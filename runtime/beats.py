"""When each of the worker's jobs last ended, and how: for whoever watches a worker that may have died.

An empty file for each job in the instance's run folder, or one that says that the job failed; its time is the job's.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_FAILED: Final = "failed\n"


@dataclass(frozen=True, slots=True)
class Beat:
    ended: datetime
    failed: bool


@dataclass(frozen=True, slots=True)
class Beats:
    folder: Path

    def ended(self, job: str, *, failed: bool) -> None:
        """What cannot be written is not: the next turn of the job tries again, and the beats that are late tell."""
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.folder / job).write_text(_FAILED if failed else "", encoding="ascii")

    def last(self) -> dict[str, Beat]:
        """By job, of those that have ended once."""
        found = {}
        with suppress(FileNotFoundError):
            for path in sorted(self.folder.iterdir()):
                stat = path.stat()
                found[path.name] = Beat(datetime.fromtimestamp(stat.st_mtime, UTC), failed=stat.st_size > 0)
        return found
