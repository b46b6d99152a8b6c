"""The audit of the accounts: does everything stand as it was written?

What shows: any line altered, removed, added or moved, in any ledger file or in the list of them; a file removed,
copied, renamed or put in; a file cut short; rows changed, removed or added in the usage lake; an intake removed.

What does not, said plainly:

- Who can write to the whole instance can make everything anew: ledger files, list and lake, with hashes that fit.
  Against that helps only a copy of the head of the chain somewhere else (verify gives it to whoever keeps it:
  the last hash of `files.jsonl`).
- The last lines of a file whose process was killed, before the intake has sealed it: cutting off whole lines there
  looks as if they had never been written. And the last lines of `files.jsonl` together with the files they name,
  up to the next intake, which notes how far the list had come.
- Lines that a power cut took before they were on the disk (see usage.ledger).
"""

import time
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from usage.chain import START, Fault
from usage.errors import UsageDamaged
from usage.folder import FileList, LedgerFolder, locked_if_free
from usage.intake import fault_of, rows_of
from usage.lake import hash_of, reading
from usage.record import LedgerFile, read_ledger_file

LAKE: Final = "usage lake"
_WRITE_S: Final = 0.05
"""How long a living process may need to finish a line that it is writing, seconds."""
_BATCH_ROWS: Final = 50_000
_BATCH_FILES: Final = 256
_COUNTS: Final = "SELECT file, count(*) FROM lake.main.calls WHERE file IN (SELECT unnest(?)) GROUP BY file"
_OTHERS: Final = """
SELECT file, count(*)
  FROM (SELECT * FROM lake.main.calls WHERE file IN (SELECT unnest(?)) EXCEPT ALL SELECT * FROM written)
 GROUP BY file
"""
"""Rows of these files in the lake that are not in the files (`written`)."""


def verify(ledger_folder: Path, usage_root: Path) -> list[Fault]:
    """Check every ledger file, the list of them, and the usage lake. Empty when all stands as it was written.

    Runs beside writers and the intake. Reads everything, so its time follows the size of the ledger.
    """
    return _Audit(LedgerFolder(ledger_folder), usage_root).run()


class _Audit:
    def __init__(self, folder: LedgerFolder, usage_root: Path) -> None:
        self.folder, self.usage_root = folder, usage_root
        self.faults: list[Fault] = []
        self.seen: dict[str, LedgerFile] = {}
        self.places: dict[str, Path] = {}

    def run(self) -> list[Fault]:
        before = self.folder.read_list()
        # In the order in which files move, so that none is missed: see usage.folder.
        for place in (self.folder.open, self.folder.sealed, self.folder.taken, self.folder.faulty):
            for path in self.folder.found(place):
                self._read(path)
        after = self.folder.read_list()
        if after.fault:
            self.faults.append(after.fault)
        self._check_files(after)
        self._check_missing(before)
        try:
            with reading(self.usage_root) as con:
                if con is not None:
                    self._check_lake(con)
                elif any(place == self.folder.taken for place in self.places.values()):
                    self.faults.append(Fault(LAKE, 0, "it is missing, and ledger files were taken in"))
        except (UsageDamaged, duckdb.Error) as error:
            self.faults.append(Fault(LAKE, 0, f"it cannot be read ({type(error).__name__})"))
        return sorted(self.faults, key=lambda fault: (fault.file, fault.line, fault.what))

    def _read(self, path: Path) -> None:
        is_open = path.parent == self.folder.open
        try:
            file = read_ledger_file(path.stem, path.read_bytes(), sealed=not is_open)
            if is_open and file.torn_bytes:
                time.sleep(_WRITE_S)
                file = read_ledger_file(path.stem, path.read_bytes(), sealed=False)
        except FileNotFoundError:
            return  # moved on, met again
        self.seen[file.id] = file
        self.places[file.id] = path.parent

    def _check_files(self, listed: FileList) -> None:
        for id_, file in self.seen.items():
            place = self.places[id_]
            if place == self.folder.open:
                fault = file.fault or self._unfinished(file)
                if fault is None and file.events and id_ not in listed.begun and not listed.fault:
                    fault = Fault(file.name, 0, "the list of ledger files does not name it")
            else:
                fault = fault_of(file, listed)
            if place == self.folder.faulty:
                self.faults.append(fault or Fault(file.name, 0, "set aside by the intake"))
            elif fault is not None:
                self.faults.append(fault)
            self._check_link(file)

    def _unfinished(self, file: LedgerFile) -> Fault | None:
        if not file.torn_bytes:
            return None
        with locked_if_free(self.folder.open / file.name) as handle:
            if handle is None:
                whose = "though its writer lives"
            else:
                whose = "its writer was killed (the intake will cut it off)"
        return Fault(file.name, file.lines + 1, f"the last line is not whole: {whose}")

    def _check_link(self, file: LedgerFile) -> None:
        """The file that the same process wrote before this one must end as this one says."""
        former = self.seen.get(file.header.get("previous_file") or "")
        if former and file.header["previous"] not in (former.last, former.before_seal):
            self.faults.append(Fault(file.name, 1, f"it does not follow {former.name}, though it says so"))

    def _check_missing(self, listed: FileList) -> None:
        former = {file.header["previous_file"] for file in self.seen.values() if file.header.get("previous_file")}
        self.faults += [
            Fault(f"{id_}.jsonl", 0, "the file is missing")
            for id_ in sorted((listed.begun | former | listed.sealed.keys()) - self.seen.keys())
        ]

    def _check_lake(self, con: duckdb.DuckDBPyConnection) -> None:
        notes: list[dict[str, Any]] = (
            con.execute("FROM lake.main.ledger_files ORDER BY number").to_arrow_table().to_pylist()
        )
        # Read after the notes, since it only grows: each of them then speaks of lines that stand in it.
        listed = self.folder.read_list()
        previous = START.decode()
        batch: list[tuple[dict[str, Any], pa.Table]] = []
        for number, note in enumerate(notes, 1):
            if note["number"] != number or note["previous"] != previous or note["hash"] != hash_of(note):
                self.faults.append(Fault(LAKE, number, "the intake does not follow from the one before it"))
            previous = note["hash"]
            self._check_anchor(number, note, listed)
            if (rows := self._rows_taken(note)) is not None:
                batch.append((note, rows))
            if sum(rows.num_rows for _, rows in batch) >= _BATCH_ROWS or len(batch) >= _BATCH_FILES:
                self._compare(con, batch)
                batch = []
        self._compare(con, batch)
        known = {note["file"] for note in notes}
        self.faults += [
            Fault(f"{id_}.jsonl", 0, "it lies in `taken`, and the usage lake does not know it")
            for id_, place in self.places.items()
            if place == self.folder.taken and id_ not in known
        ]
        strange = con.execute(
            "SELECT DISTINCT file FROM lake.main.calls "
            "WHERE file NOT IN (SELECT file FROM lake.main.ledger_files) ORDER BY 1"
        ).fetchall()
        self.faults += [Fault(LAKE, 0, f"rows of a file that no intake names: {name}") for (name,) in strange]

    def _check_anchor(self, number: int, note: dict[str, Any], listed: FileList) -> None:
        """The list of ledger files must still begin with what stood in it at this intake."""
        length = note["list_lines"]
        if listed.fault is None and length and listed.hashes[length - 1 : length] != (note["list_hash"],):
            self.faults.append(Fault(LAKE, number, "the list of ledger files was longer or other at this intake"))

    def _rows_taken(self, note: dict[str, Any]) -> pa.Table | None:
        """The rows of a file that was taken in, None when the file cannot be what was taken."""
        file = self._file(note["file"])
        if file is None:
            self.faults.append(Fault(f"{note['file']}.jsonl", 0, "the file is missing, and was taken in"))
            return None
        if file.fault is not None:
            return None  # told already
        if (note["events"], note["first_hash"], note["last_hash"]) != (len(file.events), file.first, file.last):
            self.faults.append(Fault(LAKE, note["number"], f"it was taken in from another {file.name}"))
            return None
        return rows_of(file)

    def _file(self, id_: str) -> LedgerFile | None:
        """The file as read, or as it is found now: it may have been begun, sealed and taken in since we looked."""
        if self.places.get(id_, self.folder.open) == self.folder.open:
            for place in (self.folder.sealed, self.folder.taken, self.folder.faulty):
                path = place / f"{id_}.jsonl"
                if path.exists():
                    self._read(path)
        return self.seen.get(id_)

    def _compare(self, con: duckdb.DuckDBPyConnection, batch: list[tuple[dict[str, Any], pa.Table]]) -> None:
        """The lake's rows of some files must be rows of those files, and as many as entered."""
        if not batch:
            return
        names = [note["file"] for note, _ in batch]
        con.register("written", pa.concat_tables([rows for _, rows in batch]))
        counts = dict(con.execute(_COUNTS, [names]).fetchall())
        others = dict(con.execute(_OTHERS, [names]).fetchall())
        con.unregister("written")
        self.faults += [
            Fault(LAKE, note["number"], f"the rows are not those of {note['file']}.jsonl")
            for note, _ in batch
            if note["file"] in others or counts.get(note["file"], 0) != note["events"] - note["repeated"]
        ]
