"""`knudepunkt init`: make an instance."""

from typing import Annotated, Literal

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, console


def init(
    instance: InstanceOption = DEFAULT_INSTANCE,
    environment: Annotated[
        Literal["test", "production"],
        typer.Option(help="test: agreements are approved at once. production: a municipality approves."),
    ] = "test",
) -> None:
    """Make an instance: folders, settings, control database, keys and a test certificate authority.

    Nothing that is there already is changed.

    Examples:

    `knudepunkt init --instance ./instance`

    `knudepunkt init --instance /srv/knudepunkt --environment production`
    """
    from runtime.founding import found_instance

    made = found_instance(instance, environment=environment)
    out = console()
    out.print(f"An instance for the {environment} environment lies in {made.root}.")
    if environment == "production":
        out.print("Put the PEM files of the authorities whose certificates you trust into `trust/`.")
    out.print("Next: put deliveries below `inbox/`, then `knudepunkt sync` and `knudepunkt up`.")
