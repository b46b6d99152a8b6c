"""`knudepunkt notice`: the inboxes of organisations."""

from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption
from runtime.cli.desk import AsOption, OrganisationOption, show, show_all

app = typer.Typer(help="Notices: what an organisation should know.", no_args_is_help=True)


@app.command("list")
def list_(
    organisation: OrganisationOption = None,
    unread: Annotated[bool, typer.Option("--unread", help="Only those that nobody has read.")] = False,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """List notices, the newest first: those of one organisation, or with --as those that concern the user's roles.

    Examples:

    `knudepunkt notice list --org 11111111`

    `knudepunkt notice list --as nina@fiktive.example --unread`
    """
    from api.rest.admin.shown import NoticeView
    from control import Inbox
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        chosen = desk.organisations() if organisation is None and acting is None else (desk.organisation(organisation),)
        found = [notice for each in chosen for notice in Inbox(desk.store).notices(each.id, unread=unread)]
        found.sort(key=lambda each: each.id, reverse=True)
    show_all(map(NoticeView.of, found), ("at", "subject", "about", "read", "id"), as_json=as_json, none="Nothing.")


@app.command()
def read(
    notice: Annotated[str, typer.Argument(help="Id of the notice.")],
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Show a notice, and mark it as read.

    Example: `knudepunkt notice read 0190b0f4-... --as nina@fiktive.example`
    """
    from api.rest.admin.shown import NoticeView
    from control import Inbox
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        show(NoticeView.of(Inbox(desk.store).read(notice)), as_json=as_json)
