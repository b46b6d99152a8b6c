"""Analysts' questions: SQL over the views `calls` and `calls_daily`.

    calls         a row per event (usage.calls.SCHEMA), up to this moment
    calls_daily   the same, counted per day (in Copenhagen), service, channel, municipality and system

A question runs in a process of its own; see usage.sandbox for what keeps it in.
"""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa

from kernel import PlatformError, RequestInvalid
from usage.errors import (
    TIME_IS_UP,
    SqlInvalid,
    SqlRefused,
    SqlTimeout,
    SqlTooLarge,
    UsageDamaged,
    took_too_long,
)
from usage.lake import scratch
from usage.settings import UsageSettings

_HOME: Final = Path(__file__).resolve().parent.parent
_DEFAULTS: Final = UsageSettings()
_START_S: Final = 10.0
"""How much longer than its time the process of a question may live: to start, and to read the ledger."""
_ERRORS: Final[dict[str, type[PlatformError]]] = {
    error.code: error for error in (SqlInvalid, SqlRefused, SqlTimeout, SqlTooLarge, UsageDamaged)
}


@dataclass(frozen=True, slots=True)
class Answer:
    """columns     names in the order asked for, each once
    table       at most `max_rows` rows
    truncated   whether there were more
    left_out    damaged ledger files, whose events are in no answer until an operator has looked into them
    """

    columns: tuple[str, ...]
    table: pa.Table
    truncated: bool = False
    left_out: tuple[str, ...] = ()


def ask(
    ledger_folder: Path,
    usage_root: Path,
    sql: str,
    *,
    cvr: str | None = None,
    max_rows: int = _DEFAULTS.sql_max_rows,
    timeout_s: float = _DEFAULTS.sql_timeout_s,
    memory_mb: int = _DEFAULTS.sql_memory_mb,
) -> Answer:
    """Answer one SELECT (DuckDB's dialect). Every event recorded before the call is in `calls`, once.

    cvr         only rows of the organisation with this CVR number; None for the operator's own questions
    timeout_s   for the question itself; starting its process takes about a second more

    Raises SqlRefused (asks for what is not offered), SqlInvalid (with DuckDB's own words), SqlTimeout, SqlTooLarge,
    UsageDamaged.
    """
    if cvr is not None and not re.fullmatch(r"[0-9]{8}", cvr):
        raise RequestInvalid("a CVR number has 8 digits", remedy="give the organisation's CVR number")
    # Imported when asked: it takes a while, and most processes that keep accounts never ask.
    from usage.second_opinion import check_with_sqlglot

    read_by_both = check_with_sqlglot(sql)
    with scratch(usage_root) as folder:
        request = {
            "sql": sql, "ledger": str(ledger_folder.resolve()), "usage": str(usage_root.resolve()), "cvr": cvr,
            "max_rows": max_rows, "timeout_s": timeout_s, "memory_mb": memory_mb, "scratch": str(folder.resolve()),
            "read_by_both": read_by_both,
        }  # fmt: skip
        return _answer_of(_run_sandbox(request, folder, timeout_s))


def _run_sandbox(request: dict[str, Any], folder: Path, timeout_s: float) -> bytes:
    # An empty environment: no token of ours is in reach of a question.
    environment = {"PYTHONPATH": str(_HOME), "PATH": os.defpath}
    with subprocess.Popen(
        [sys.executable, "-P", "-c", "from usage.sandbox import main; main()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder, env=environment,
    ) as process:  # fmt: skip
        try:
            out, _ = process.communicate(orjson.dumps(request), timeout=timeout_s + _START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise took_too_long(timeout_s) from None
        except BaseException:  # Ctrl-C too: the question must not go on alone
            process.kill()
            raise
    if process.returncode in (TIME_IS_UP, -signal.SIGXCPU):
        raise took_too_long(timeout_s)
    if process.returncode < 0:
        # The engine ends its process when it gets no memory in a place where it cannot say so.
        raise SqlTooLarge(
            "the question was stopped: its process ended, most likely for want of memory",
            remedy="aggregate, or ask about fewer days or columns",
            rule="usage.sql_memory_mb",
        )
    if process.returncode > 0:
        raise UsageDamaged(
            "the process that answers questions could not do its work",
            remedy="run `knudepunkt ledger verify`; look at the disk and at the installation",
        )
    return out


def _answer_of(out: bytes) -> Answer:
    head, _, stream = out.partition(b"\n")
    facts = orjson.loads(head)
    if code := facts.get("error"):
        raise _ERRORS.get(code, UsageDamaged)(facts["message"], remedy=facts["remedy"], rule=facts["rule"])
    table = pa.ipc.open_stream(stream).read_all()
    return Answer(tuple(table.column_names), table, facts["truncated"], tuple(facts["left_out"]))
