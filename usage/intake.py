"""The intake: sealed ledger files enter the usage lake, each exactly once.

Rows of a file and its row in `ledger_files` are one transaction; then the file moves to `taken`. A crash between the
two leaves a file in `sealed` that the lake knows already: the next intake only moves it.
"""

import errno
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from kernel import Clock, SystemClock
from usage.calls import table_of
from usage.chain import START, Fault, link
from usage.errors import UsageUnavailable
from usage.folder import FileList, LedgerFolder, locked_if_free
from usage.lake import LEDGER_FILES, hash_of, writing
from usage.record import LedgerFile, read_ledger_file

BATCH_EVENTS: Final = 100_000
BATCH_FILES: Final = 256
MERGE_AT: Final = 48
"""Parquet files of one table: above this, small ones are merged into larger ones."""
KEEP_REPLACED: Final = "1 hour"
"""How long files that were merged stay for readers that opened the lake before."""


FRESH: Final = """
SELECT * FROM arriving
 WHERE event NOT IN (SELECT event FROM lake.main.calls WHERE event BETWEEN ? AND ?)
QUALIFY row_number() OVER (PARTITION BY event ORDER BY file, line) = 1
"""
"""The rows of `arriving` (shape STORED) whose event the lake does not have, once each; parameters: span_of(rows)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenIn:
    """What one intake did.

    files, events   that entered the lake now
    repeated        lines whose event id was there already: counted once, as the first said it
    torn            files of killed processes that ended in half a line, which was cut off: its answer never left
    still_open      files that a living process is writing
    faults          what was wrong; the files they name were set aside in `faulty`
    """

    files: int = 0
    events: int = 0
    repeated: int = 0
    torn: int = 0
    still_open: int = 0
    faults: tuple[Fault, ...] = ()

    def one_line(self) -> str:
        text = f"{self.events:,} events from {self.files} ledger files"
        extra = (
            f"{self.repeated} repeated" if self.repeated else "",
            f"{self.torn} torn last lines cut off" if self.torn else "",
            f"{len(self.faults)} FAULTS, see `faulty`" if self.faults else "",
        )
        return ", ".join((text, *filter(None, extra)))


def take_in(ledger_folder: Path, usage_root: Path, *, clock: Clock | None = None) -> TakenIn:
    """Take sealed files, and those whose writer died, into the usage lake.

    Safe to kill and to call again at any moment. Raises UsageBusy when another intake is at work and
    UsageUnavailable when the disk fails.
    """
    with writing(usage_root) as con:
        intake = _Intake(LedgerFolder(ledger_folder), con, clock or SystemClock())
        try:
            intake.run()
        except (OSError, duckdb.Error) as error:
            raise UsageUnavailable(
                f"the intake stopped ({type(error).__name__})",
                remedy="make room on the disk and look at its health; what was not taken in stays in the ledger",
                retry_after_s=60,
            ) from error
        return TakenIn(
            files=intake.files,
            events=intake.events,
            repeated=intake.repeated,
            torn=intake.torn,
            still_open=intake.still_open,
            faults=tuple(intake.faults),
        )


def fault_of(file: LedgerFile, listed: FileList) -> Fault | None:
    """What is wrong with a sealed file: in itself, or by what the list says of it. Pure."""
    if file.fault is not None:
        return file.fault
    entry = listed.sealed.get(file.id)
    if entry is None:
        # A list that cannot be read to its end cannot accuse anybody.
        return None if listed.fault else Fault(file.name, 0, "the list of ledger files does not name it")
    if (entry.get("events"), entry.get("last")) != (len(file.events), file.last):
        return Fault(file.name, 0, "the list of ledger files has another count or hash for it")
    return None


class _Intake:
    def __init__(self, folder: LedgerFolder, con: duckdb.DuckDBPyConnection, clock: Clock) -> None:
        self.folder, self.con, self.clock = folder, con, clock
        self.files = self.events = self.repeated = self.torn = self.still_open = 0
        self.faults: list[Fault] = []

    def run(self) -> None:
        self.folder.make()
        for path in self.folder.found(self.folder.open):
            self._seal_if_dead(path)
        self.folder.sweep()
        paths = self.folder.found(self.folder.sealed)
        # Read after looking into the folder: a file is listed as sealed before it lies there.
        listed = self.folder.read_list()
        if listed.fault:
            self.faults.append(listed.fault)
        for batch in _batches(self._good_files(paths, listed)):
            self._enter(batch, listed)
        self._merge_small_files()

    def _seal_if_dead(self, path: Path) -> None:
        with locked_if_free(path) as handle:
            if handle is None:
                self.still_open += path.exists()
                return
            data = path.read_bytes()
            file = read_ledger_file(path.stem, data, sealed=False)
            if file.fault:
                self._set_aside(path, file.fault)
                return
            if file.torn_bytes:
                # Cut off, since nobody got an answer for it, and kept, since nothing of a ledger is thrown away.
                (self.folder.faulty / f"{file.id}.torn").write_bytes(data[file.whole_bytes :])
                os.ftruncate(handle, file.whole_bytes)
                self.torn += 1
            events, last = len(file.events), file.last
            if file.seal is None:
                seal = {"seq": file.lines + 1, "kind": "seal", "events": events, "torn_bytes": file.torn_bytes}
                body = orjson.dumps({**seal, "by": "intake", "time": self.clock.now()})
                line, digest = link(file.last.encode(), body)
                if os.write(handle, line) < len(line):
                    raise OSError(errno.ENOSPC, "no room for a seal")
                last = digest.decode()
            os.fsync(handle)
            if file.id not in self.folder.read_list().sealed:
                self.folder.note("sealed", file.id, events=events, last=last)
            self.folder.move(path, self.folder.sealed)

    def _good_files(self, paths: Iterable[Path], listed: FileList) -> Iterator[tuple[LedgerFile, pa.Table]]:
        known = self._known({path.stem for path in paths})
        for path in paths:
            file = read_ledger_file(path.stem, path.read_bytes(), sealed=True)
            fault = fault_of(file, listed)
            if fault is None and file.id in known:
                if known[file.id] == file.last:
                    self.folder.move(path, self.folder.taken)
                    continue
                fault = Fault(file.name, 0, "another file of this name is in the usage lake already")
            if fault is None:
                try:
                    table = rows_of(file)
                except (pa.ArrowException, ValueError, TypeError, KeyError) as error:
                    fault = Fault(file.name, 0, f"an event does not have the shape of one ({type(error).__name__})")
            if fault is not None:
                self._set_aside(path, fault)
                continue
            yield file, table

    def _set_aside(self, path: Path, fault: Fault) -> None:
        self.folder.note("set_aside", path.stem, line=fault.line, why=fault.what)
        self.folder.move(path, self.folder.faulty)
        self.faults.append(fault)

    def _enter(self, batch: list[tuple[LedgerFile, pa.Table]], listed: FileList) -> None:
        """One transaction for some files, then their moves."""
        rows = self._fresh(pa.concat_tables([table for _, table in batch]))
        entered = {item["values"]: item["counts"] for item in rows["file"].value_counts().to_pylist()}
        # Everything is read before the transaction begins; the writer's lock keeps it true.
        number, previous = self._head()
        notes = []
        for file, _ in batch:
            number += 1
            note: dict[str, Any] = {
                "number": number,
                "file": file.id,
                "node": file.header["node"],
                "role": file.header["role"],
                "pid": file.header["pid"],
                "events": len(file.events),
                "repeated": len(file.events) - entered.get(file.id, 0),
                "torn_bytes": file.cut_off_bytes,
                "first_hash": file.first,
                "last_hash": file.last,
                "list_lines": len(listed.hashes),
                "list_hash": listed.hashes[-1] if listed.hashes else START.decode(),
                "taken": self.clock.now().isoformat(),
                "previous": previous,
            }
            previous = note["hash"] = hash_of(note)
            notes.append(note)
        self.con.register("entering", rows)
        self.con.register("entering_files", pa.Table.from_pylist(notes, schema=LEDGER_FILES))
        self.con.execute("BEGIN")
        self.con.execute("INSERT INTO lake.main.calls FROM entering ORDER BY time")
        self.con.execute("INSERT INTO lake.main.ledger_files FROM entering_files ORDER BY number")
        self.con.execute("COMMIT")
        self.con.unregister("entering")
        self.con.unregister("entering_files")
        for file, _ in batch:
            self.folder.move(self.folder.sealed / file.name, self.folder.taken)
        self.files += len(batch)
        self.events += rows.num_rows
        self.repeated += sum(note["repeated"] for note in notes)

    def _fresh(self, rows: pa.Table) -> pa.Table:
        """The rows whose event id is not in the lake, once each."""
        self.con.register("arriving", rows)
        try:
            return self.con.execute(FRESH, span_of(rows)).to_arrow_table().cast(rows.schema)
        finally:
            self.con.unregister("arriving")

    def _known(self, names: set[str]) -> dict[str, str]:
        """File -> hash of its last line, of those that the lake has."""
        if not names:
            return {}
        found = self.con.execute(
            "SELECT file, last_hash FROM lake.main.ledger_files WHERE file IN (SELECT unnest(?))", [sorted(names)]
        )
        return dict(found.fetchall())

    def _head(self) -> tuple[int, str]:
        row = self.con.execute(
            "SELECT number, hash FROM lake.main.ledger_files ORDER BY number DESC LIMIT 1"
        ).fetchone()
        return (row[0], row[1]) if row else (0, START.decode())

    def _merge_small_files(self) -> None:
        """Fewer, larger Parquet files; under the writer's lock and with no transaction open."""
        table_files = self.con.execute("SELECT max(file_count) FROM ducklake_table_info('lake')").fetchone()
        if table_files is None or (table_files[0] or 0) <= MERGE_AT:
            return
        before = f"now() - INTERVAL '{KEEP_REPLACED}'"
        for step in (
            "CALL ducklake_merge_adjacent_files('lake')",
            f"CALL ducklake_expire_snapshots('lake', older_than => {before})",
            f"CALL ducklake_cleanup_old_files('lake', older_than => {before})",
        ):
            # As Arrow: as Python values, the time stamps in these answers would want another package.
            self.con.execute(step).to_arrow_table()


def rows_of(file: LedgerFile) -> pa.Table:
    """The events of a file in the shape of the lake. Raises what table_of raises."""
    return table_of(file.events, file=file.id, node=file.header["node"], role=file.header["role"])


def span_of(rows: pa.Table) -> list[str]:
    """First and last event id: ids sort by time, so looking for repeats reads only the files of that time."""
    events = rows["event"].to_pylist()
    return [min(events), max(events)] if events else ["", ""]


def _batches(
    files: Iterable[tuple[LedgerFile, pa.Table]],
) -> Iterator[list[tuple[LedgerFile, pa.Table]]]:
    batch: list[tuple[LedgerFile, pa.Table]] = []
    events = 0
    for file, table in files:
        batch.append((file, table))
        events += table.num_rows
        if events >= BATCH_EVENTS or len(batch) >= BATCH_FILES:
            yield batch
            batch, events = [], 0
    if batch:
        yield batch
