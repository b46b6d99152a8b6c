"""`knudepunkt audit`: who changed what, when and from where."""

from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console
from runtime.cli.desk import Errand

app = typer.Typer(help="The audit trail of the control database: append-only, and chained.", no_args_is_help=True)


@app.command("list")
def list_(
    organisation: Annotated[
        str | None, typer.Option("--org", help="Only what people of this organisation did: CVR number, name or id.")
    ] = None,
    about: Annotated[str | None, typer.Option(help="Only about one thing, for instance `system 0190...`.")] = None,
    limit: Annotated[int, typer.Option(help="At most this many, the newest.", min=1)] = 50,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """List changes, the oldest first.

    Examples:

    `knudepunkt audit list --limit 10`

    `knudepunkt audit list --org 12345678 --json`

    `knudepunkt audit list --about "system 0190b0f4-..."`
    """
    from api.rest.admin.shown import AuditView
    from control.audit import newest_entries
    from runtime.administration import open_desk

    with open_desk(instance) as desk:
        whose = None if organisation is None else desk.organisation(organisation).id
        with desk.store.reading() as db:
            found = newest_entries(db, organisation=whose, about=about, limit=limit)
    Errand(instance, None, as_json).show_all(
        map(AuditView.of, found), ("number", "at", "actor", "address", "verb", "about", "details"),
        none="Nothing was changed.",
    )  # fmt: skip


@app.command()
def verify(
    expect: Annotated[
        str | None,
        typer.Option(help="The hash of an entry that was noted elsewhere: it must be in the chain. Shows a cut end."),
    ] = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Check that the trail is whole: numbered without gaps, each entry's hash built on the one before.

    Note the last hash somewhere else now and then, and give it with --expect the next time: a tail that was cut off
    shows by nothing in the chain itself. Exit code 1 when it is not whole.

    Examples:

    `knudepunkt audit verify`

    `knudepunkt audit verify --expect 9f86d081884c7d65...`
    """
    from api.rest.admin.shown import AuditCheck
    from control.audit import has_entry, newest_entries
    from control.audit import verify as check
    from runtime.administration import open_desk

    with open_desk(instance) as desk, desk.store.reading() as db:
        entries, broken_at = check(db)
        found = newest_entries(db, limit=1)
        known = expect is None or has_entry(db, expect.lower())
    last = found[0].hash if found else ""
    said = "The trail is whole." if broken_at is None and known else "The trail is NOT whole."
    Errand(instance, None, as_json).show(AuditCheck(entries, broken_at, last), said=said)
    if not known:
        console(stderr=True).print("No entry has the expected hash: the end of the trail was cut off, or written anew.")
    if broken_at is not None or not known:
        raise typer.Exit(1)
