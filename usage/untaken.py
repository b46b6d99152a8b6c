"""What the ledger holds that the usage lake may not hold yet, also what living processes are writing."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from usage.calls import STORED
from usage.folder import LedgerFolder
from usage.intake import rows_of
from usage.record import read_ledger_file


@dataclass(frozen=True, slots=True)
class Untaken:
    """rows       shape STORED, every event of the files in `open` and `sealed` up to their last whole line
    left_out   ledger files that are damaged: they will not enter the usage lake, and are not in `rows`
    """

    rows: pa.Table
    left_out: tuple[str, ...]


def read_untaken(ledger_folder: Path) -> Untaken:
    """Read it before the usage lake, never after: a file that moves on meanwhile is then met twice, not never.

    The rows of files that the lake knows by then must be left out: the column `file` says which they are.
    """
    folder = LedgerFolder(ledger_folder)
    tables: dict[str, pa.Table] = {}
    damaged: set[str] = {path.name for path in folder.found(folder.faulty)}
    for place in (folder.open, folder.sealed):
        for path in folder.found(place):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # moved on: it is met again in the next place, or in the lake
            file = read_ledger_file(path.stem, data, sealed=place is folder.sealed)
            try:
                tables[file.id] = rows_of(file) if file.fault is None else STORED.empty_table()
            except (pa.ArrowException, ValueError, TypeError, KeyError):
                damaged.add(file.name)
            if file.fault is not None:
                damaged.add(file.name)
    return Untaken(pa.concat_tables([STORED.empty_table(), *tables.values()]), tuple(sorted(damaged)))
