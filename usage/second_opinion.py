"""The other parser that judges analysts' questions: sqlglot. See usage.grammar."""

import logging
from typing import Final

import sqlglot
from sqlglot import expressions as exp

from usage.grammar import TABLE_FUNCTIONS, VIEWS, check_text, offered_functions, plain, refused

_ROOTS: Final = (exp.Select, exp.SetOperation, exp.Subquery, exp.Values, exp.Describe, exp.Summarize)
_NEVER: Final = (
    exp.Alter, exp.Analyze, exp.Attach, exp.Cache, exp.Command, exp.Copy, exp.Create, exp.Delete, exp.Detach,
    exp.Drop, exp.Execute, exp.Export, exp.Insert, exp.Install, exp.Into, exp.Kill, exp.LoadData, exp.Lock,
    exp.Merge, exp.Parameter, exp.Placeholder, exp.Pragma, exp.Set, exp.Transaction, exp.TruncateTable, exp.Update,
    exp.Use,
)  # fmt: skip

# Its warnings quote the question, and a question may hold what must not stand in a log.
logging.getLogger("sqlglot").setLevel(logging.CRITICAL)


def check_with_sqlglot(sql: str) -> bool:
    """Raise SqlRefused or SqlInvalid, or say whether sqlglot could read the question at all.

    When it could not, DuckDB shall say whether the question is wrong; if not, it stays refused.
    """
    check_text(sql)
    try:
        statements = sqlglot.parse(sql, dialect="duckdb")
    except (sqlglot.ParseError, sqlglot.TokenError):
        return False
    except RecursionError:
        raise refused("it is nested too deeply", rule="text") from None
    # A comment or a semicolon at the end parses as an empty statement.
    found = [one for one in statements if one is not None and not isinstance(one, exp.Semicolon)]
    if len(found) != 1:
        raise refused(f"it holds {len(found)} statements, not one", rule="statement")
    if not isinstance(found[0], _ROOTS):
        raise refused(f"{plain(found[0].key.upper())} is not a SELECT", rule="statement")
    try:
        _check_tree(found[0])
    except RecursionError:
        raise refused("it is nested too deeply", rule="text") from None
    return True


def _check_tree(root: exp.Expr) -> None:
    named = {cte.alias.lower() for cte in root.find_all(exp.CTE)}
    for node in root.walk():
        if isinstance(node, _NEVER):
            raise refused(f"{plain(node.key.upper())} in a question", rule="statement")
        if isinstance(node, exp.Anonymous) and node.name.lower() not in offered_functions() | TABLE_FUNCTIONS:
            raise refused(f"the function {plain(node.name)}", rule="function")
        if isinstance(node, exp.Table):
            _check_source(node, named)


def _check_source(table: exp.Table, named: set[str]) -> None:
    source = table.this
    if isinstance(source, exp.Func):
        name = source.name if isinstance(source, exp.Anonymous) else source.sql_name()
        if name.lower() not in TABLE_FUNCTIONS and not isinstance(source, exp.GenerateSeries):
            raise refused(f"the table function {plain(name)}", rule="table_function")
    elif table.db or table.catalog:
        raise refused("a name with a schema or a database in front", rule="table")
    elif isinstance(source, exp.Identifier) and source.name.lower() not in VIEWS | named:
        raise refused(f"the table {plain(source.name)}", rule="table")
