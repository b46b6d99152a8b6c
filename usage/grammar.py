"""What analysts may ask: one SELECT over the views offered, with functions that are named in functions.csv.

Two parsers read every question, and both must find it harmless: sqlglot (usage.second_opinion, in the asking
process, so that most refusals cost nothing) and DuckDB itself (here, in the sandbox: what it parsed is what it runs).
Both walk the parsed tree and refuse what they do not know; neither looks for patterns in the text. Source of that
lesson: a published "read only" pattern that let `select 1; drop table ...` through.
"""

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import duckdb
import orjson

from usage.errors import SqlInvalid, SqlRefused

VIEWS: Final = frozenset({"calls", "calls_daily"})
TABLE_FUNCTIONS: Final = frozenset({"generate_series", "range", "unnest"})
LONGEST: Final = 20_000
"""Characters in a question."""

_NODES: Final = frozenset({"CTE_NODE", "RECURSIVE_CTE_NODE", "SELECT_NODE", "SET_OPERATION_NODE"})
_TABLES: Final = frozenset(
    {"BASE_TABLE", "EMPTY", "EXPRESSION_LIST", "JOIN", "PIVOT", "SHOW_REF", "SUBQUERY", "TABLE_FUNCTION"}
)
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}", re.IGNORECASE)
REMEDY: Final = (
    f"ask with one SELECT over the views {' and '.join(sorted(VIEWS))}; `describe calls` lists the columns, "
    "the analysts' guide the functions"
)


@cache
def offered_functions() -> frozenset[str]:
    """Functions and operators that may be used, lower case. What is not listed is refused, also if it is new."""
    with (Path(__file__).parent / "functions.csv").open(encoding="utf-8", newline="") as file:
        return frozenset(row["function"] for row in csv.DictReader(file))


def refused(what: str, *, rule: str) -> SqlRefused:
    return SqlRefused(f"this SQL is not allowed: {what}", remedy=REMEDY, rule=f"sql.{rule}")


def check_text(sql: str) -> None:
    """Raises SqlInvalid for an empty question, SqlRefused for one that no parser shall see."""
    if not sql.strip():
        raise SqlInvalid("there is no question", remedy=REMEDY)
    # DuckDB's json_serialize_sql reads up to the first NUL, and would judge only the half before it.
    if len(sql) > LONGEST or "\0" in sql:
        raise refused(f"it is longer than {LONGEST:,} characters or holds a NUL", rule="text")


def check_with_duckdb(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Let DuckDB parse the question without running it. Raises SqlRefused, or SqlInvalid when it does not parse."""
    check_text(sql)
    serialized = con.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchone()
    tree = orjson.loads(serialized[0] if serialized else "{}")
    if tree.get("error"):
        if tree.get("error_type") == "parser":
            raise SqlInvalid(_told(tree.get("error_message", "")), remedy="mend the SQL")
        raise refused("it is not a SELECT", rule="statement")
    statements = tree.get("statements", [])
    if len(statements) != 1:
        raise refused(f"it holds {len(statements)} statements, not one", rule="statement")
    for part, visible in _parts(statements[0], frozenset()):
        _check_part(part, visible)


def _parts(part: Any, visible: frozenset[str]) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Every object of the tree, each with the names of the WITH queries that can be seen from it.

    A WITH query sees those before it, and itself only when it is recursive: otherwise its own name, inside it,
    means what it means outside, and hiding a system table behind a WITH of the same name would work.
    """
    if isinstance(part, list):
        for item in part:
            yield from _parts(item, visible)
    elif isinstance(part, dict):
        if part.get("type") == "RECURSIVE_CTE_NODE":
            visible |= {str(part.get("cte_name", "")).lower()}
        for entry in (part.get("cte_map") or {}).get("map", []):
            yield from _parts(entry["value"], visible)
            visible |= {entry["key"].lower()}
        yield part, visible
        for name, value in part.items():
            if name != "cte_map":
                yield from _parts(value, visible)


def _check_part(part: dict[str, Any], visible: frozenset[str]) -> None:
    kind = part.get("type")
    # Tables and query nodes are what can be sampled; each kind of them must be known.
    if "sample" in part and kind not in _NODES | _TABLES:
        raise refused(f"a source of the kind {plain(str(kind))}", rule="table")
    match kind:
        case "BASE_TABLE":
            _check_table(part, visible)
        case "TABLE_FUNCTION":
            name = str(part["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise refused(f"the table function {plain(name)}", rule="table_function")
        case "SHOW_REF":
            if part.get("show_type") not in ("DESCRIBE", "SUMMARY") or not part.get("query"):
                raise refused("SHOW; `describe calls` lists the columns", rule="statement")
        case "VALUE_PARAMETER":
            raise refused("a parameter", rule="statement")
    if "function_name" in part:
        _check_function(part)


def _check_table(part: dict[str, Any], visible: frozenset[str]) -> None:
    if part["schema_name"] or part["catalog_name"]:
        raise refused("a name with a schema or a database in front", rule="table")
    if part.get("at_clause"):
        raise refused("AT: the views have no versions", rule="table")
    if part["table_name"].lower() not in VIEWS | visible:
        raise refused(f"the table {plain(part['table_name'])}", rule="table")


def _check_function(part: dict[str, Any]) -> None:
    name = str(part["function_name"]).lower()
    if part.get("schema") not in ("", "main", None) or part.get("catalog"):
        raise refused("a function with a schema or a database in front", rule="function")
    if name not in offered_functions() | TABLE_FUNCTIONS:
        raise refused(f"the function {plain(name)}", rule="function")


def plain(name: str) -> str:
    """A name as it may stand in an error text: what is no plain name may be anything, also somebody's number."""
    return name if _NAME.fullmatch(name) else "(a name that is no plain word)"


def _told(message: str) -> str:
    """DuckDB's message without its quotation of the question, and without anything shaped like a personal number."""
    first = message.split("\n\nLINE ", 1)[0].strip()
    return re.sub(r"\d{6}-?\d{4}", "(number)", first) or "the SQL cannot be read"


def invalid(error: Exception) -> SqlInvalid:
    """DuckDB's error as ours, in its words."""
    return SqlInvalid(_told(str(error)), remedy="mend the SQL; `describe calls` lists the columns")
