"""`knudepunkt notice`: the inboxes of organisations."""

from typing import Annotated

import typer

from runtime.cli.desk import Errand, OrganisationOption, on_errand

app = typer.Typer(help="Notices: what an organisation should know.", no_args_is_help=True)


@app.command("list")
@on_errand
def list_(
    errand: Errand,
    organisation: OrganisationOption = None,
    unread: Annotated[bool, typer.Option("--unread", help="Only those that nobody has read.")] = False,
) -> None:
    """List notices, the newest first: those of one organisation, or with --as those that concern the user's roles.

    Examples:

    `knudepunkt notice list --org 11111111`

    `knudepunkt notice list --as nina@fiktive.example --unread`
    """
    from api.rest.admin.shown import NoticeView
    from control import Inbox

    with errand.desk() as desk:
        chosen = (
            desk.organisations()
            if organisation is None and errand.acting is None
            else (desk.organisation(organisation),)
        )
        found = [notice for each in chosen for notice in Inbox(desk.store).notices(each.id, unread=unread)]
        found.sort(key=lambda each: each.id, reverse=True)
    errand.show_all(map(NoticeView.of, found), ("at", "subject", "about", "read", "id"), none="Nothing.")


@app.command()
@on_errand
def read(
    errand: Errand,
    notice: Annotated[str, typer.Argument(help="Id of the notice.")],
) -> None:
    """Show a notice, and mark it as read.

    Example: `knudepunkt notice read 0190b0f4-... --as nina@fiktive.example`
    """
    from api.rest.admin.shown import NoticeView
    from control import Inbox

    with errand.desk() as desk:
        errand.show(NoticeView.of(Inbox(desk.store).read(notice)))
