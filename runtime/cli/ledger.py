"""`knudepunkt ledger`: is the record of calls what it was when it was written?"""

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json

app = typer.Typer(help="The chained record of every call.", no_args_is_help=True)


@app.callback()
def ledgers() -> None:
    """The chained record of every call."""


@app.command()
def verify(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Follow the chain through every ledger file and through the usage lake. Exit code 1 when it is broken.

    Example: `knudepunkt ledger verify`
    """
    from runtime.instance import Instance
    from usage import verify as verify_chain

    found = Instance.find(instance)
    faults = verify_chain(found.ledger, found.usage)
    if as_json:
        print_json([{"file": fault.file, "line": fault.line, "what": fault.what} for fault in faults])
    else:
        for fault in faults:
            console().print(f"{fault.file}:{fault.line}: {fault.what}", markup=False)
        console().print("The chain is whole." if not faults else f"{len(faults)} faults.")
    if faults:
        raise typer.Exit(1)
