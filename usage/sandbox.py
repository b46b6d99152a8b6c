"""Where analysts' SQL runs: a process of its own, made for one question and gone after it.

A question is somebody else's program, so it is kept in by four fences, each of which would do alone:

1. Two parsers have found it to be one SELECT over the views offered (usage.grammar).
2. The engine can open no file and no network address, load nothing, and change none of its settings. For a question of
   one organisation the usage lake itself is detached, and only that organisation's rows are left in memory: a
   filter in a view would not do, since an error message can show rows that the filter would have hidden.
   For the operator's own questions the lake's folder stays readable.
3. The process has an empty environment and a limit on memory and on processor time. (DuckDB's own limits do not
   hold everywhere: `levenshtein` of long texts cannot be interrupted, `repeat` allocates past the memory limit.)
4. It ends itself when its time is up, and the asking process sees to it that it does.

Talks over pipes: a request as JSON in, one line of JSON and an Arrow stream out.
"""

import os
import resource
import sys
import threading
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson
import pyarrow as pa

from kernel import PlatformError
from kernel.unwanted import leave_out
from replica.engine import connect
from usage.errors import TIME_IS_UP, SqlTooLarge, took_too_long
from usage.grammar import check_with_duckdb, invalid, refused
from usage.intake import FRESH, span_of
from usage.lake import attach, damaged
from usage.untaken import read_untaken

ANSWER_BYTES: Final = 64_000_000
THREADS: Final = 2
_DEAF_S: Final = 1.0
_OURS: Final = (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
"""Errors that no question causes: the lake's files are missing or damaged, or the engine is."""

_ARRIVING: Final = """
CREATE TABLE arriving AS
SELECT * FROM untaken_rows WHERE file NOT IN (SELECT file FROM lake.main.ledger_files)
"""
_ALL_CALLS: Final = """
CREATE VIEW calls AS
SELECT * EXCLUDE (file, line) FROM lake.main.calls UNION ALL SELECT * EXCLUDE (file, line) FROM memory.main.untaken
"""
_CALLS_OF_ONE: Final = """
CREATE TABLE calls AS
SELECT * EXCLUDE (file, line)
  FROM (FROM lake.main.calls UNION ALL FROM memory.main.untaken)
 WHERE municipality_cvr = ?
"""
_DAILY: Final = """
CREATE VIEW calls_daily AS
SELECT timezone('Europe/Copenhagen', "time")::DATE AS day, kind, channel, service, operation, municipality_cvr, system,
       agreement, count(*) AS calls, count(*) FILTER (status >= 500) AS failed,
       coalesce(sum(keys), 0)::BIGINT AS keys, coalesce(sum(rows), 0)::BIGINT AS rows,
       coalesce(sum(size_bytes), 0)::BIGINT AS size_bytes, quantile_cont(own_us, 0.5)::BIGINT AS own_p50_us,
       quantile_cont(own_us, 0.99)::BIGINT AS own_p99_us
  FROM calls
 GROUP BY ALL
"""


def main() -> None:
    leave_out()
    request = orjson.loads(sys.stdin.buffer.read())
    # Analysts wait a little rather than lookups.
    os.nice(5)
    try:
        table, facts = _answer(request)
    except PlatformError as error:
        _reply({"error": error.code, "message": error.message, "remedy": error.remedy, "rule": error.rule})
        return
    _reply(facts)
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)


def _reply(facts: dict[str, Any]) -> None:
    sys.stdout.buffer.write(orjson.dumps(facts) + b"\n")
    sys.stdout.buffer.flush()


def _answer(request: dict[str, Any]) -> tuple[pa.Table, dict[str, Any]]:
    usage_root, sql = Path(request["usage"]), request["sql"]
    memory_mb: int = request["memory_mb"]
    with connect(Path(request["scratch"]), memory_limit=f"{memory_mb}MB", threads=THREADS) as con:
        con.execute("SET python_enable_replacements = false")
        check_with_duckdb(con, sql)
        if not request["read_by_both"]:
            raise refused("one of the two parsers that judge it cannot read it", rule="text")
        try:
            left_out = offer(con, Path(request["ledger"]), usage_root, request["cvr"])
        except duckdb.Error as error:
            raise damaged(error) from error
        lock_down(con, usage_root if request["cvr"] is None else None)
        limit_process(memory_mb, request["timeout_s"])
        table, truncated = _run(con, sql, request["max_rows"], request["timeout_s"])
    return table, {"truncated": truncated, "left_out": left_out}


def offer(con: duckdb.DuckDBPyConnection, ledger_folder: Path, usage_root: Path, cvr: str | None) -> tuple[str, ...]:
    """Make the views. Returns the names of damaged ledger files, whose events are left out.

    What is not taken in is read first, the lake after it: between the two, a file can only move from the ledger to the
    lake, so it is met at least once; the lake knows which files it has, so it is met once.
    """
    untaken = read_untaken(ledger_folder)
    has_lake = (usage_root / "ready").exists()
    if has_lake:
        attach(con, usage_root)
    else:
        con.execute("ATTACH ':memory:' AS lake")
        con.register("calls_shape", untaken.rows.slice(0, 0))
        con.execute("CREATE TABLE lake.main.calls AS FROM calls_shape")
        con.execute("CREATE TABLE lake.main.ledger_files (file VARCHAR)")
        con.unregister("calls_shape")
    con.register("untaken_rows", untaken.rows)
    # One snapshot of the lake from here to the end of the question.
    con.execute("BEGIN")
    con.execute(_ARRIVING)
    con.execute(f"CREATE TABLE untaken AS {FRESH}", span_of(untaken.rows))
    con.execute("DROP TABLE arriving")
    con.unregister("untaken_rows")
    if cvr is None:
        con.execute(_ALL_CALLS)
    else:
        con.execute(_CALLS_OF_ONE, [cvr])
        con.execute("DROP TABLE untaken")
        con.execute("COMMIT")
        con.execute("DETACH lake")
    con.execute(_DAILY)
    return untaken.left_out


def lock_down(con: duckdb.DuckDBPyConnection, usage_root: Path | None) -> None:
    """No files, no network, no settings from here on; `usage_root` is the lake that stays readable, if any."""
    con.execute("SET max_temp_directory_size = '2GB'")
    if usage_root is not None:
        folder = str(usage_root / "data").replace("'", "''")
        con.execute(f"SET allowed_directories = ['{folder}/']")
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def limit_process(memory_mb: int, timeout_s: float) -> None:
    """Let the question have `memory_mb` on top of what this process holds, and its time on each thread."""
    used = next(
        int(line.split()[1]) * 1024
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmData:")
    )
    spent = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(spent.ru_utime + spent.ru_stime + (timeout_s + 2) * THREADS) + 1
    data = used + memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (data, data))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run(con: duckdb.DuckDBPyConnection, sql: str, max_rows: int, timeout_s: float) -> tuple[pa.Table, bool]:
    """At most `max_rows` rows of the answer, and whether there are more."""
    done = threading.Event()
    threading.Thread(target=_stop_after, args=(timeout_s, con, done), daemon=True).start()
    batches: list[pa.RecordBatch] = []
    rows = size = 0
    try:
        reader = con.execute(sql).to_arrow_reader(2_048)
        while rows <= max_rows and (batch := next(reader, None)) is not None:
            batches.append(batch)
            rows, size = rows + batch.num_rows, size + batch.nbytes
            if size > ANSWER_BYTES:
                raise _too_large(f"its answer is larger than {ANSWER_BYTES // 1_000_000} MB")
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        text = str(error)
        if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in text:
            raise took_too_long(timeout_s) from None
        if isinstance(error, (duckdb.OutOfMemoryException, MemoryError)) or "Out of Memory" in text:
            raise _too_large("it needs more memory") from None
        if isinstance(error, _OURS) or text.startswith("IO Error"):
            raise damaged(error) from None
        raise invalid(error) from None
    finally:
        done.set()
    table = pa.Table.from_batches(batches, reader.schema).rename_columns(_own_names(reader.schema.names))
    return _plain_numbers(table.slice(0, max_rows)), rows > max_rows


def _stop_after(timeout_s: float, con: duckdb.DuckDBPyConnection, done: threading.Event) -> None:
    """Interrupt the question when its time is up, and end the process when that is not heard."""
    if not done.wait(timeout_s):
        con.interrupt()
        if not done.wait(_DEAF_S):
            os._exit(TIME_IS_UP)


def _own_names(given: list[str]) -> list[str]:
    """Each column with a name of its own: `select 1, 1` has two of the same."""
    names: list[str] = []
    for name in given:
        number, own = 1, name
        while own in names:
            own, number = f"{name}_{number}", number + 1
        names.append(own)
    return names


def _plain_numbers(table: pa.Table) -> pa.Table:
    """Sums of whole numbers as 64-bit integers where they fit: DuckDB gives them 128 bits."""
    for at, field in enumerate(table.schema):
        if pa.types.is_decimal128(field.type) and field.type.scale == 0:
            try:
                narrow = table.column(at).cast(pa.int64())
            except pa.ArrowInvalid:
                continue
            table = table.set_column(at, field.with_type(pa.int64()), narrow)
    return table


def _too_large(why: str) -> SqlTooLarge:
    return SqlTooLarge(
        f"the question was stopped: {why}",
        remedy="aggregate, or ask about fewer days or columns",
        rule="usage.sql_memory_mb",
    )
