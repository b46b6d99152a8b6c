"""`knudepunkt lookup`: look records up over the wire, as a consumer system does."""

import sys
from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json


def lookup(
    service: Annotated[str, typer.Argument(help="A lookup service, for instance cpr-persons.")],
    keys: Annotated[
        list[str] | None,
        typer.Argument(help="Public keys. Personal numbers are read from standard input instead."),
    ] = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    client: Annotated[str, typer.Option(help="Client profile that makes the call.")] = "demo",
    columns: Annotated[str | None, typer.Option(help="Columns to ask for, separated by commas.")] = None,
    agreement: Annotated[str | None, typer.Option(help="Agreement to call under, when there are several.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Look up one record or many, with the certificate of a client profile and under its agreement.

    Personal numbers do not belong in a shell's history or in a list of processes: give them on standard input, one
    per line.

    Examples:

    `knudepunkt lookup municipalities 0851`

    `knudepunkt lookup cpr-persons < numbers.txt`

    `knudepunkt lookup cpr-persons --columns status,name,address --json < numbers.txt`
    """
    from runtime.client import Profile, checked, open_client
    from runtime.instance import Instance

    found = Instance.find(instance)
    asked = keys or [line.strip() for line in sys.stdin if line.strip()]
    if not asked:
        raise typer.BadParameter("no keys: give them as arguments or on standard input, one per line")
    body: dict[str, object] = {"keys": asked}
    if columns:
        body["columns"] = [name.strip() for name in columns.split(",")]
    headers = {"Knudepunkt-Agreement": agreement} if agreement else {}
    with open_client(found, Profile.of(found, client)) as http:
        answer = checked(http.post(f"/v1/services/{service}/lookup", json=body, headers=headers)).json()
    if as_json:
        print_json(answer)
    else:
        for entry in answer["records"]:
            console().print_json(data=entry["record"], ensure_ascii=False)
        if answer["missing"]:
            console(stderr=True).print(f"{len(answer['missing'])} of {len(asked)} keys have no record")
        console(stderr=True).print(
            f"snapshot {answer['snapshot']}, as of {answer['as_of']}, trace {answer['trace']}", style="dim"
        )
    if answer["missing"]:
        raise typer.Exit(3)
