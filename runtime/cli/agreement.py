"""`knudepunkt agreement`: service agreements, requested by suppliers and decided on by municipalities."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.console import console
from runtime.cli.desk import Errand, NoteOption, OrganisationOption, moment, on_errand
from runtime.cli.terms import terms_of_file, terms_of_options

if TYPE_CHECKING:
    from api.rest.admin.terms import AgreementView
    from control import Agreement, Agreements
    from runtime.administration import Desk

app = typer.Typer(help="Service agreements: what a municipality lets a system do.", no_args_is_help=True)
AgreementArgument = Annotated[str, typer.Argument(help="Id of the agreement, or the beginning of it.")]
ToOption = Annotated[str | None, typer.Option("--to", help="In force until, such as 2029-01-01 (UTC); open without.")]
FromOption = Annotated[str | None, typer.Option("--from", help="In force from; now without.")]
_COLUMNS = ("id", "state", "municipality", "supplier", "system_name", "services", "valid_to")


@app.command("list")
@on_errand
def list_(
    errand: Errand,
    organisation: OrganisationOption = None,
    state: Annotated[str | None, typer.Option(help="As they are now, for instance requested.")] = None,
    system: Annotated[str | None, typer.Option(help="Those of a system: name or id.")] = None,
    service: Annotated[str | None, typer.Option(help="Those that cover a service.")] = None,
) -> None:
    """List agreements: of one organisation on either side, or all that may be seen.

    Examples:

    `knudepunkt agreement list --state requested`

    `knudepunkt agreement list --org 11111111 --service cpr-persons --json`
    """
    from control import State
    from kernel import ServiceName

    if state is not None and state not in set(State):
        raise typer.BadParameter(f"it is one of {', '.join(State)}", param_hint="--state")
    with _table(errand) as (desk, agreements):
        found = agreements.all(
            None if organisation is None else desk.organisation(organisation).id,
            system=None if system is None else desk.system(system).id,
            service=None if service is None else ServiceName(service),
            states=() if state is None else {State(state)},
        )
        _print_many(errand, desk, agreements, found)


@app.command("show")
@on_errand
def show_(
    errand: Errand,
    agreement: AgreementArgument,
    document: Annotated[str | None, typer.Option("--document", help="As people read it: da or en.")] = None,
) -> None:
    """Show an agreement: its parties, its terms, and the steps that can be taken now.

    Examples:

    `knudepunkt agreement show 0190b0f4`

    `knudepunkt agreement show 0190b0f4 --document da`
    """
    from runtime.documents import documents_of

    if document not in {None, "da", "en"}:
        raise typer.BadParameter("it is da or en", param_hint="--document")
    with _table(errand) as (desk, agreements):
        if document is not None:
            made = documents_of(desk.instance, desk.store).of(_found(agreements, agreement).id)
            console().print(made.files[f"agreement.{document}.txt"].decode(), markup=False)
            return
        _print_one(errand, desk, agreements, _found(agreements, agreement))


@app.command()
@on_errand
def history(errand: Errand, agreement: AgreementArgument) -> None:
    """Show every step of an agreement since it was drafted.

    Example: `knudepunkt agreement history 0190b0f4`
    """
    from api.rest.admin.terms import AgreementStepView

    with _table(errand) as (_, agreements):
        steps = agreements.history(_found(agreements, agreement).id)
    errand.show_all(map(AgreementStepView.of, steps), ("number", "at", "step", "state", "by", "note"), none="None.")


@app.command()
@on_errand
def request(
    errand: Errand,
    system: Annotated[str, typer.Option(help="The system that is to call: name or id.")],
    municipality: Annotated[str, typer.Option(help="Whose authority it acts under: CVR number, name or id.")],
    file: Annotated[Path | None, typer.Option(help="Terms in YAML or JSON, as REST takes them.")] = None,
    service: Annotated[list[str] | None, typer.Option(help="A service; more than once for more.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option(help="Columns of a service, such as cpr-persons=pnr,name; all without.")
    ] = None,
    own: Annotated[
        list[str] | None, typer.Option(help="Only the municipality's own rows: cpr-persons=municipality_code.")
    ] = None,
    purpose: Annotated[str, typer.Option(help="What the data is for.")] = "",
    legal_basis: Annotated[str, typer.Option(help="The rule of law (hjemmel).")] = "",
    reason: Annotated[str, typer.Option(help="Why it is asked for; whoever approves reads it.")] = "",
    per_minute: Annotated[int | None, typer.Option(help="At most this many calls a minute.", min=1)] = None,
    per_day: Annotated[int | None, typer.Option(help="At most this many calls a day.", min=1)] = None,
    start: FromOption = None,
    end: ToOption = None,
    draft: Annotated[bool, typer.Option("--draft", help="Write it down, and send it later.")] = False,
    note: NoteOption = "",
) -> None:
    """Request an agreement. In the test environment it is approved at once; in production the municipality decides.

    Examples:

    `knudepunkt agreement request --system care --municipality 11111111 --service municipalities
    --purpose "Plans home care." --legal-basis "None is needed." --reason "A first call."`

    `knudepunkt agreement request --system care --municipality 11111111 --file terms.yaml --to 2029-01-01`
    """
    from api.rest.admin.agreements import window_of

    if file is not None and (service or columns or own or purpose or legal_basis or reason or per_minute or per_day):
        raise typer.BadParameter("the file says all of the terms: give --file, or the options, not both")
    terms = (
        terms_of_file(file)
        if file is not None
        else terms_of_options(
            service or [], columns or [], own or [], purpose, legal_basis, reason, per_minute, per_day
        )
    )
    with _table(errand) as (desk, agreements):
        window = window_of(
            None if start is None else moment(start, "--from"), None if end is None else moment(end, "--to"),
            desk.store.clock.now(),
        )  # fmt: skip
        whose, calls = desk.named(municipality).id, desk.system(system).id
        if draft:
            done = agreements.draft(whose, calls, terms.terms(), window)
        else:
            done = agreements.request(whose, calls, terms.terms(), window, note=note)
        _print_one(errand, desk, agreements, done)


@app.command()
@on_errand
def renew(
    errand: Errand,
    agreement: AgreementArgument,
    file: Annotated[Path | None, typer.Option(help="Other terms, in YAML or JSON.")] = None,
    start: FromOption = None,
    end: ToOption = None,
    note: NoteOption = "",
) -> None:
    """Request what follows an agreement, without a gap: from its end on, on the same terms unless others are given.

    Example: `knudepunkt agreement renew 0190b0f4 --to 2030-01-01`
    """
    from api.rest.admin.agreements import beginning_after, window_of

    with _table(errand) as (desk, agreements):
        found, now = _found(agreements, agreement), desk.store.clock.now()
        begins = beginning_after(found, now) if start is None else moment(start, "--from")
        window = window_of(begins, None if end is None else moment(end, "--to"), now)
        terms = None if file is None else terms_of_file(file).terms()
        _print_one(errand, desk, agreements, agreements.renew(found.id, window, terms=terms, note=note))


@app.command()
@on_errand
def expiring(
    errand: Errand,
    days: Annotated[int, typer.Option(help="Within this many days.", min=1)] = 90,
) -> None:
    """List agreements in force that end soon.

    Example: `knudepunkt agreement expiring --days 30`
    """
    with _table(errand) as (desk, agreements):
        before = desk.store.clock.now() + timedelta(days=days)
        _print_many(errand, desk, agreements, agreements.all(ends_before=before))


_STEPS = {
    "send": ("request", "Send a draft to the municipality."),
    "withdraw": ("withdraw", "Take a draft or a request back."),
    "approve": ("approve", "Approve a request, in the municipality's name: calls get through within a second."),
    "reject": ("reject", "Reject a request, in the municipality's name."),
    "suspend": ("suspend", "Suspend an agreement: within a second no call gets through."),
    "resume": ("resume", "Let a suspended agreement carry calls again."),
    "terminate": ("terminate", "End an agreement for ever; either party may."),
}


def _add_step(verb: str, step: str, says: str) -> None:
    def run(errand: Errand, agreement: AgreementArgument, note: NoteOption = "") -> None:
        from control import Step

        with _table(errand) as (desk, agreements):
            done = agreements.step(_found(agreements, agreement).id, Step(step), note=note)
            _print_one(errand, desk, agreements, done)

    run.__doc__ = f'{says}\n\n    Example: `knudepunkt agreement {verb} 0190b0f4 --note "Case 17"`\n    '
    app.command(verb)(on_errand(run))


for _verb, (_name, _says) in _STEPS.items():
    _add_step(_verb, _name, _says)


@contextmanager
def _table(errand: Errand) -> "Iterator[tuple[Desk, Agreements]]":
    from control import Agreements
    from schemas import SHIPPED, load_registers

    with errand.desk() as desk:
        yield desk, Agreements(desk.store, load_registers(SHIPPED, desk.instance.registers))


def _found(agreements: "Agreements", named: str) -> "Agreement":
    from runtime.administration import agreement_of

    return agreement_of(agreements, named)


def _views(desk: "Desk", agreements: "Agreements", found: "tuple[Agreement, ...]") -> "list[AgreementView]":
    from api.rest.admin.agreements import viewing

    return [*map(viewing(desk.store, agreements), found)]


def _print_one(errand: Errand, desk: "Desk", agreements: "Agreements", found: "Agreement") -> None:
    (view,) = _views(desk, agreements, (found,))
    errand.show(view if errand.as_json else _flat(view))


def _print_many(errand: Errand, desk: "Desk", agreements: "Agreements", found: "tuple[Agreement, ...]") -> None:
    views = _views(desk, agreements, found)
    errand.show_all(views if errand.as_json else map(_flat, views), _COLUMNS, none="There is no such agreement.")


def _flat(view: "AgreementView") -> dict[str, Any]:
    """As a person reads it: parties by name, services by name, what is empty left out."""
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(view)
    terms = told.pop("terms")
    for party in ("municipality", "supplier"):
        told[party] = f"{told[party]['name']} ({told[party]['cvr']})"
    told["services"] = sorted(terms["services"])
    told |= {name: terms[name] for name in ("purpose", "legal_basis", "reason", "type")}
    limits = {name: most for name, most in terms["limits"].items() if most is not None}
    return told | {"limits": ", ".join(f"{name.replace('_', ' ')}: {most:,}" for name, most in limits.items())}
