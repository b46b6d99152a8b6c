"""What was decided about one call: its lines in the ledger, found by the trace id that the caller was given."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from kernel import TraceId
from usage.folder import LedgerFolder
from usage.lake import damaged, reading
from usage.record import read_ledger_file

_MOST: Final = 20
"""A trace id is chosen by the caller, who may use one for all its calls: the newest are shown."""
_SHOWN: Final = (
    "time", "kind", "trace", "channel", "service", "operation", "system", "agreement", "municipality_cvr", "terms_hash",
    "status", "code", "reason", "rule", "owner", "remedy", "keys", "rows",
    "call_id",
)  # fmt: skip


def find_decisions(
    ledger_folder: Path, usage_root: Path, trace: TraceId, *, since: datetime
) -> tuple[Mapping[str, Any], ...]:
    """Newest first, at most 20: members of ledger lines, without subjects, credentials and addresses.

    since   older calls are not looked for

    Raises UsageDamaged.
    """
    folder = LedgerFolder(ledger_folder)
    # The ledger before the lake: a file moves from the one to the other, and is met at least once.
    found = {line["event"]: line for line in _untaken(folder, trace)}
    for file, number in _taken(usage_root, trace, since):
        line = _line(folder, file, number)
        if line is not None and line.get("trace") == trace:
            found[line["event"]] = line
    newest = sorted(found.values(), key=lambda line: str(line["event"]), reverse=True)[:_MOST]
    return tuple({name: line[name] for name in _SHOWN if line.get(name) is not None} for line in newest)


def _untaken(folder: LedgerFolder, trace: TraceId) -> Iterator[dict[str, Any]]:
    wanted = trace.encode()
    for place in (folder.open, folder.sealed):
        for path in folder.found(place):
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # moved on: it is met again in the next place, or in the lake
            if wanted in data:
                file = read_ledger_file(path.stem, data, sealed=place is folder.sealed)
                yield from (event for event in file.events if event.get("trace") == trace)


def _taken(usage_root: Path, trace: TraceId, since: datetime) -> list[tuple[str, int]]:
    with reading(usage_root) as con:
        if con is None:
            return []
        try:
            return con.execute(
                "SELECT file, line FROM lake.main.calls WHERE trace = ? AND time >= ? ORDER BY event DESC LIMIT ?",
                [trace, since, _MOST],
            ).fetchall()
        except duckdb.Error as error:
            raise damaged(error) from error


def _line(folder: LedgerFolder, file: str, number: int) -> dict[str, Any] | None:
    try:
        with (folder.taken / f"{file}.jsonl").open("rb") as lines:
            for at, line in enumerate(lines, start=1):
                if at == number:
                    value: dict[str, Any] = orjson.loads(line)
                    return value
    except (FileNotFoundError, orjson.JSONDecodeError):
        pass
    return None
