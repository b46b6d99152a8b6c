"""`knudepunkt system`: IT systems that call services."""

from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption
from runtime.cli.desk import AsOption, OrganisationOption, show, show_all

app = typer.Typer(help="Systems: what calls services, known by its certificate.", no_args_is_help=True)
SystemArgument = Annotated[str, typer.Argument(help="Name or id.")]
EndpointOption = Annotated[
    list[str] | None,
    typer.Option("--endpoint", help="Where it can be reached: https or sftp; more than once for more."),
]


@app.command("list")
def list_(
    organisation: OrganisationOption = None,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """List systems, the retired ones too.

    Examples:

    `knudepunkt system list`

    `knudepunkt system list --org 12345678 --json`
    """
    from api.rest.admin.shown import SystemView
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        found = desk.systems(None if organisation is None else desk.organisation(organisation))
    show_all(
        map(SystemView.of, found), ("name", "purpose", "contact", "retired", "id"), as_json=as_json,
        none="There are no systems.",
    )  # fmt: skip


@app.command("show")
def show_(
    system: SystemArgument,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Show one system.

    Example: `knudepunkt system show hjemmepleje`
    """
    from api.rest.admin.shown import SystemView
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        show(SystemView.of(desk.system(system)), as_json=as_json)


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="Its name, once in an organisation.")],
    purpose: Annotated[str, typer.Option(help="What it is for; whoever approves reads it.")],
    contact: Annotated[str, typer.Option(help="How to reach the people who run it.")],
    organisation: OrganisationOption = None,
    endpoint: EndpointOption = None,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Register a system. Give it a certificate next: `knudepunkt cert request`.

    Example: `knudepunkt system register care --org 12345678 --purpose "Plans home care." --contact drift@fiktive.dk`
    """
    from api.rest.admin.shown import SystemView
    from control import Systems
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        owner = desk.organisation(organisation)
        done = Systems(desk.store).register(owner.id, name, purpose=purpose, contact=contact, endpoints=endpoint or ())
        show(SystemView.of(done), as_json=as_json, said="Registered.")


@app.command()
def change(
    system: SystemArgument,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    purpose: Annotated[str | None, typer.Option(help="New purpose.")] = None,
    contact: Annotated[str | None, typer.Option(help="New contact.")] = None,
    endpoint: EndpointOption = None,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Change what is given. Endpoints that are given replace those that were there.

    Example: `knudepunkt system change hjemmepleje --contact vagt@fiktive.example`
    """
    from api.rest.admin.shown import SystemView
    from control import Systems
    from runtime.administration import open_desk

    if name is None and purpose is None and contact is None and endpoint is None:
        raise typer.BadParameter("give --name, --purpose, --contact or --endpoint")
    with open_desk(instance, acting) as desk:
        found = desk.system(system)
        done = Systems(desk.store).change(found.id, name=name, purpose=purpose, contact=contact, endpoints=endpoint)
        show(SystemView.of(done), as_json=as_json, said="Changed.")


@app.command()
def retire(
    system: SystemArgument,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Take a system out of use for ever: its certificates and keys stop within a second.

    Example: `knudepunkt system retire hjemmepleje`
    """
    from api.rest.admin.shown import SystemView
    from control import Systems
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        found = desk.system(system)
        Systems(desk.store).retire(found.id)
        show(SystemView.of(desk.system(found.id)), as_json=as_json, said="Retired.")
