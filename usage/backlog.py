"""How many ledger files wait to enter the usage lake, and how long they have waited."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from usage.folder import LedgerFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """open        files that are written to now, or were left by a process that died
    sealed      files that are whole and wait for the intake; together they have `sealed_bytes`
    faulty      files that the intake has set aside
    waited_s    since the oldest that waits got its last line, seconds; 0 when none waits
    """

    open: int
    sealed: int
    sealed_bytes: int
    faulty: int
    waited_s: float


def backlog_of(ledger_folder: Path, now: datetime) -> Backlog:
    """Looks at names and sizes alone. A file that moves on meanwhile is not counted."""
    folder = LedgerFolder(ledger_folder)
    stats = []
    for path in folder.found(folder.sealed):
        with suppress(FileNotFoundError):
            stats.append(path.stat())
    return Backlog(
        open=len(folder.found(folder.open)),
        sealed=len(stats),
        sealed_bytes=sum(each.st_size for each in stats),
        faulty=len(folder.found(folder.faulty)),
        waited_s=max((now.timestamp() - each.st_mtime for each in stats), default=0.0),
    )
