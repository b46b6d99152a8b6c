"""`knudepunkt system`: IT systems that call services."""

from typing import Annotated

import typer

from runtime.cli.desk import Errand, OrganisationOption, on_errand

app = typer.Typer(help="Systems: what calls services, known by its certificate.", no_args_is_help=True)
SystemArgument = Annotated[str, typer.Argument(help="Name or id.")]
EndpointOption = Annotated[
    list[str] | None,
    typer.Option("--endpoint", help="Where it can be reached: https or sftp; more than once for more."),
]


@app.command("list")
@on_errand
def list_(errand: Errand, organisation: OrganisationOption = None) -> None:
    """List systems, the retired ones too.

    Examples:

    `knudepunkt system list`

    `knudepunkt system list --org 12345678 --json`
    """
    from api.rest.admin.shown import SystemView

    with errand.desk() as desk:
        found = desk.systems(None if organisation is None else desk.organisation(organisation))
    errand.show_all(
        map(SystemView.of, found), ("name", "purpose", "contact", "retired", "id"),
        none="There are no systems.",
    )  # fmt: skip


@app.command("show")
@on_errand
def show_(errand: Errand, system: SystemArgument) -> None:
    """Show one system.

    Example: `knudepunkt system show hjemmepleje`
    """
    from api.rest.admin.shown import SystemView

    with errand.desk() as desk:
        errand.show(SystemView.of(desk.system(system)))


@app.command()
@on_errand
def register(
    errand: Errand,
    name: Annotated[str, typer.Argument(help="Its name, once in an organisation.")],
    purpose: Annotated[str, typer.Option(help="What it is for; whoever approves reads it.")],
    contact: Annotated[str, typer.Option(help="How to reach the people who run it.")],
    organisation: OrganisationOption = None,
    endpoint: EndpointOption = None,
) -> None:
    """Register a system. Give it a certificate next: `knudepunkt cert request`.

    Example: `knudepunkt system register care --org 12345678 --purpose "Plans home care." --contact drift@fiktive.dk`
    """
    from api.rest.admin.shown import SystemView
    from control import Systems

    with errand.desk() as desk:
        owner = desk.organisation(organisation)
        done = Systems(desk.store).register(owner.id, name, purpose=purpose, contact=contact, endpoints=endpoint or ())
        errand.show(SystemView.of(done), said="Registered.")


@app.command()
@on_errand
def change(
    errand: Errand,
    system: SystemArgument,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    purpose: Annotated[str | None, typer.Option(help="New purpose.")] = None,
    contact: Annotated[str | None, typer.Option(help="New contact.")] = None,
    endpoint: EndpointOption = None,
) -> None:
    """Change what is given. Endpoints that are given replace those that were there.

    Example: `knudepunkt system change hjemmepleje --contact vagt@fiktive.example`
    """
    from api.rest.admin.shown import SystemView
    from control import Systems

    if name is None and purpose is None and contact is None and endpoint is None:
        raise typer.BadParameter("give --name, --purpose, --contact or --endpoint")
    with errand.desk() as desk:
        found = desk.system(system)
        done = Systems(desk.store).change(found.id, name=name, purpose=purpose, contact=contact, endpoints=endpoint)
        errand.show(SystemView.of(done), said="Changed.")


@app.command()
@on_errand
def retire(errand: Errand, system: SystemArgument) -> None:
    """Take a system out of use for ever: its certificates and keys stop within a second.

    Example: `knudepunkt system retire hjemmepleje`
    """
    from api.rest.admin.shown import SystemView
    from control import Systems

    with errand.desk() as desk:
        found = desk.system(system)
        Systems(desk.store).retire(found.id)
        errand.show(SystemView.of(desk.system(found.id)), said="Retired.")
