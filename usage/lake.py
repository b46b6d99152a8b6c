"""The usage lake: a DuckLake of its own with the rows of every ledger file that was taken in.

    usage/
      catalog.sqlite, data/   the lake (Parquet, encrypted)
      writer.lock             held by the one intake at work
      ready                   made when the tables are there; before that, nobody reads
      scratch/                spill of questions that do not fit in memory

Tables: `calls` (shape STORED of usage.calls) and `ledger_files`, one row per file in the order they were taken in.
Each of these rows holds the hash of the row before it and the head of the list of ledger files at that moment.
"""

import fcntl
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from replica.engine import attach_lake, connect
from usage.calls import STORED
from usage.errors import UsageBusy, UsageDamaged

_ABANDONED_S: Final = 86_400
"""No question and no intake takes this long, seconds."""

LEDGER_FILES: Final = pa.schema(
    [
        pa.field("number", pa.int64(), nullable=False),
        ("file", pa.string()),
        ("node", pa.string()),
        ("role", pa.string()),
        ("pid", pa.int64()),
        ("events", pa.int64()),
        ("repeated", pa.int64()),
        ("torn_bytes", pa.int64()),
        ("first_hash", pa.string()),
        ("last_hash", pa.string()),
        ("list_lines", pa.int64()),
        ("list_hash", pa.string()),
        ("taken", pa.string()),
        ("previous", pa.string()),
        ("hash", pa.string()),
    ]
)
"""number      1, 2, 3... without gaps
events      lines that are events; `repeated` of them had an id that was there already and did not enter
torn_bytes  length of a half line that was cut off at the end, since its answer never left
taken       RFC 3339, UTC
"""


def hash_of(row: Mapping[str, Any]) -> str:
    """The hash of a row of ledger_files: SHA-256 over the row before's and this row's other members."""
    body = {name: row[name] for name in LEDGER_FILES.names if name != "hash"}
    return hashlib.sha256(row["previous"].encode() + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).hexdigest()


@contextmanager
def scratch(usage_root: Path) -> Iterator[Path]:
    """A private folder for one connection: two engines must not share a folder to spill into."""
    folder = usage_root / "scratch"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        yield Path(made)


def sweep(folder: Path) -> None:
    """Remove what questions and intakes that were killed left behind."""
    for left in folder.iterdir():
        if time.time() - left.stat().st_mtime > _ABANDONED_S:
            shutil.rmtree(left, ignore_errors=True)


@contextmanager
def writing(usage_root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The lake for the one writer, made if it is not there. Raises UsageBusy."""
    usage_root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (usage_root / "writer.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageBusy(
                "another process takes ledger files in", remedy="wait until it has ended", retry_after_s=5
            ) from None
        with scratch(usage_root) as folder, connect(folder, memory_limit="1GB", threads=2) as con:
            try:
                attach_lake(con, "lake", usage_root, read_only=False, encrypted=True)
                _make_tables(con, usage_root / "ready")
            except duckdb.Error as error:
                raise damaged(error) from error
            sweep(usage_root / "scratch")
            yield con


@contextmanager
def reading(usage_root: Path) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """The lake for a reader, at one snapshot from its first query on; None when nothing was ever taken in."""
    if not (usage_root / "ready").exists():
        yield None
        return
    with scratch(usage_root) as folder, connect(folder, memory_limit="1GB", threads=2) as con:
        attach(con, usage_root)
        con.execute("BEGIN")
        try:
            yield con
        finally:
            # Said aloud: a transaction that is left to the connection's end takes the process with it when
            # the catalogue fails there (DuckDB throws from a destructor).
            with suppress(duckdb.Error):
                con.execute("ROLLBACK")


def attach(con: duckdb.DuckDBPyConnection, usage_root: Path) -> None:
    """Attach the lake as `lake` to a reader's connection. Raises UsageDamaged."""
    try:
        attach_lake(con, "lake", usage_root, read_only=True, encrypted=True)
    except duckdb.Error as error:
        raise damaged(error) from error


def _make_tables(con: duckdb.DuckDBPyConnection, ready: Path) -> None:
    if ready.exists():
        return
    con.register("calls_shape", STORED.empty_table())
    con.register("files_shape", LEDGER_FILES.empty_table())
    con.execute("BEGIN")
    con.execute("CREATE TABLE IF NOT EXISTS lake.main.calls AS FROM calls_shape")
    con.execute("CREATE TABLE IF NOT EXISTS lake.main.ledger_files AS FROM files_shape")
    con.execute("COMMIT")
    con.unregister("calls_shape")
    con.unregister("files_shape")
    ready.touch()


def damaged(error: Exception) -> UsageDamaged:
    return UsageDamaged(
        f"the usage lake cannot be read ({type(error).__name__})",
        remedy="look at the disk; the ledger files are kept, and the lake can be made again from them",
    )
