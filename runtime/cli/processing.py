"""`knudepunkt processing`: data-processing agreements of municipalities."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.desk import Errand, content_of, moment, on_errand

app = typer.Typer(
    help="Data-processing agreements. In production nothing of a municipality is served without one.",
    no_args_is_help=True,
)
MunicipalityArgument = Annotated[str, typer.Argument(help="Municipality: CVR number, name or id.")]


@app.command("list")
@on_errand
def list_(
    errand: Errand,
    municipality: Annotated[str | None, typer.Argument(help="Municipality; all of them without.")] = None,
) -> None:
    """List data-processing agreements.

    Example: `knudepunkt processing list 11111111`
    """
    from api.rest.admin.shown import ProcessingAgreementView
    from control import Processing

    with errand.desk() as desk:
        chosen = desk.organisations() if municipality is None else (desk.organisation(municipality),)
        found = [made for each in chosen for made in Processing(desk.store).agreements(each.id)]
    errand.show_all(
        map(ProcessingAgreementView.of, found), ("id", "reference", "valid_from", "valid_to", "document_sha256"),
        none="There is none.",
    )  # fmt: skip


@app.command()
@on_errand
def record(
    errand: Errand,
    municipality: MunicipalityArgument,
    reference: Annotated[str, typer.Argument(help="What both sides call it, for instance a case number.")],
    document: Annotated[Path, typer.Argument(help="The signed document. Its SHA-256 is kept, and nothing else of it.")],
    start: Annotated[str, typer.Option("--from", help="In force from, such as 2027-01-01 (UTC).")],
    end: Annotated[str | None, typer.Option("--to", help="In force until; open without.")] = None,
) -> None:
    """Record a data-processing agreement.

    Example: `knudepunkt processing record 11111111 "sag 2027-17" aftale.pdf --from 2027-01-01`
    """
    from api.rest.admin.shown import ProcessingAgreementView
    from control import Processing
    from kernel import Window

    begins, ends = moment(start, "--from"), None if end is None else moment(end, "--to")
    if ends is not None and ends <= begins:
        raise typer.BadParameter("it ends before it begins", param_hint="--to")
    with errand.desk() as desk:
        owner = desk.organisation(municipality)
        done = Processing(desk.store).record(owner.id, reference, content_of(document), Window(begins, ends))
        errand.show(ProcessingAgreementView.of(done), said="Recorded.")


@app.command()
@on_errand
def end(
    errand: Errand,
    agreement: Annotated[str, typer.Argument(help="Id of the data-processing agreement.")],
    at: Annotated[str | None, typer.Option("--at", help="When; now without.")] = None,
) -> None:
    """End a data-processing agreement: in production nothing of the municipality is served from then on.

    Example: `knudepunkt processing end 0190b0f4-... --at 2027-07-01`
    """
    from api.rest.admin.shown import ProcessingAgreementView
    from control import Processing

    when = None if at is None else moment(at, "--at")
    with errand.desk() as desk:
        done = Processing(desk.store).end(agreement, when)
        errand.show(ProcessingAgreementView.of(done), said="Ended.")
