"""`knudepunkt delegation`: a municipality lets a supplier decide for it."""

from typing import Annotated

import typer

from runtime.cli.desk import Errand, NoteOption, OrganisationOption, moment, on_errand

app = typer.Typer(
    help="Delegations: a supplier decides on agreements in a municipality's name, until that is withdrawn.",
    no_args_is_help=True,
)
_COLUMNS = ("id", "municipality", "supplier", "services", "valid_from", "valid_to", "withdrawn")


@app.command("list")
@on_errand
def list_(errand: Errand, organisation: OrganisationOption = None) -> None:
    """List delegations, the withdrawn ones too.

    Example: `knudepunkt delegation list --org 11111111`
    """
    from api.rest.admin.delegations import DelegationView
    from control import Delegations

    with errand.desk() as desk:
        whose = None if organisation is None else desk.organisation(organisation).id
        found = Delegations(desk.store).all(whose)
    errand.show_all(map(DelegationView.of, found), _COLUMNS, none="There is no delegation.")


@app.command()
@on_errand
def give(
    errand: Errand,
    supplier: Annotated[str, typer.Argument(help="Who may decide: CVR number.")],
    service: Annotated[list[str], typer.Option(help="On agreements about this service; more than once for more.")],
    municipality: Annotated[
        str | None, typer.Option(help="In whose name: CVR number, name or id; your own with --as.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="From when on; now without.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="Until when; open without.")] = None,
) -> None:
    """Let a supplier's administrators approve, reject and suspend agreements about services in a municipality's name.

    Example: `knudepunkt delegation give 12345678 --municipality 11111111 --service municipalities --to 2028-01-01`
    """
    from api.rest.admin.agreements import window_of
    from api.rest.admin.delegations import DelegationView
    from control import Delegations
    from kernel import ServiceName

    with errand.desk() as desk:
        window = window_of(
            None if start is None else moment(start, "--from"), None if end is None else moment(end, "--to"),
            desk.store.clock.now(),
        )  # fmt: skip
        whose, whom = desk.organisation(municipality).id, desk.named(supplier).id
        done = Delegations(desk.store).give(whose, whom, [ServiceName(name) for name in service], window)
        errand.show(DelegationView.of(done), said="Given.")


@app.command()
@on_errand
def withdraw(
    errand: Errand,
    delegation: Annotated[str, typer.Argument(help="Id of the delegation.")],
    note: NoteOption = "",
) -> None:
    """Withdraw a delegation: agreements that were approved under it are suspended.

    Example: `knudepunkt delegation withdraw 0190b0f4-... --note "sag 2027-18"`
    """
    from api.rest.admin.delegations import DelegationView
    from control import Delegations

    with errand.desk() as desk:
        done = Delegations(desk.store).withdraw(delegation, note=note)
        errand.show(DelegationView.of(done), said="Withdrawn.")
