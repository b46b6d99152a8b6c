"""`knudepunkt sql`: analysts' questions about usage."""

from typing import Annotated

import typer

from runtime.cli.console import (
    DEFAULT_INSTANCE,
    InstanceOption,
    JsonOption,
    console,
    print_json,
    print_table,
)


def sql(
    query: Annotated[str, typer.Argument(help="One SELECT. The view `calls` has a row per call.")],
    instance: InstanceOption = DEFAULT_INSTANCE,
    cvr: Annotated[str | None, typer.Option(help="Only rows of the municipality with this CVR number.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Ask about usage with SQL (DuckDB's dialect): calls, refusals and deliveries, up to this moment.

    Examples:

    `knudepunkt sql "select service, operation, channel, status, count(*) as calls from calls group by all"`

    `knudepunkt sql "select code, count(*) from calls where kind = 'refused' group by all" --json`

    `knudepunkt sql "describe calls"`
    """
    from runtime.asking import ask_usage
    from runtime.environment import settings_of
    from runtime.instance import Instance

    found = Instance.find(instance)
    answer = ask_usage(found, settings_of(found), query, cvr=cvr)
    rows = answer.table.to_pylist()
    if as_json:
        print_json(rows)
        return
    print_table("", answer.columns, [[row[name] for name in answer.columns] for row in rows])
    for name in answer.left_out:
        console(stderr=True).print(f"(left out: {name} is damaged; see `knudepunkt ledger verify`)", style="red")
    if answer.truncated:
        console(stderr=True).print(f"(the first {len(rows):,} rows; add a limit or aggregate)", style="dim")
