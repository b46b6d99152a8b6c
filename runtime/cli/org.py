"""`knudepunkt org`: organisations, their applications and their standing."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption
from runtime.cli.desk import Errand, NoteOption, OutOption, content_of, on_errand

app = typer.Typer(help="Organisations: suppliers, municipalities, operators.", no_args_is_help=True)
OrganisationArgument = Annotated[str, typer.Argument(help="CVR number, name or id.")]
Kind = Literal["supplier", "municipality"]


@app.command("list")
@on_errand
def list_(
    errand: Errand,
    state: Annotated[str | None, typer.Option(help="Only those in this state, for instance applied.")] = None,
) -> None:
    """List organisations.

    Examples:

    `knudepunkt org list`

    `knudepunkt org list --state applied --json`
    """
    from api.rest.admin.shown import OrganisationView

    with errand.desk() as desk:
        found = [each for each in desk.organisations() if state in {None, each.state}]
    errand.show_all(
        map(OrganisationView.of, found), ("cvr", "kind", "state", "name", "email"),
        none="There is no such organisation.",
    )  # fmt: skip


@app.command("show")
@on_errand
def show_(errand: Errand, organisation: OrganisationArgument) -> None:
    """Show one organisation.

    Example: `knudepunkt org show 12345678`
    """
    from api.rest.admin.shown import OrganisationView

    with errand.desk() as desk:
        errand.show(OrganisationView.of(desk.organisation(organisation)))


@app.command()
@on_errand
def add(
    errand: Errand,
    kind: Annotated[Literal["supplier", "municipality", "operator"], typer.Argument(help="What it is.")],
    cvr: Annotated[str, typer.Argument(help="CVR number.")],
    name: Annotated[str, typer.Argument(help="Name.")],
) -> None:
    """Register an organisation without an application, as the operator. It is confirmed at once, and has no users.

    Example: `knudepunkt org add operator 87654321 "Korsbæk Drift"`
    """
    from api.rest.admin.shown import OrganisationView
    from control import OrganisationKind

    with errand.desk() as desk:
        done = desk.store.add_organisation(OrganisationKind(kind), cvr, name)
        errand.show(OrganisationView.of(done), said="Registered.")


@app.command()
def apply(
    kind: Annotated[Kind, typer.Argument(help="What it is.")],
    cvr: Annotated[str, typer.Argument(help="CVR number.")],
    name: Annotated[str, typer.Argument(help="Name.")],
    email: Annotated[str, typer.Option(help="Where the organisation is reached.")],
    user_name: Annotated[str, typer.Option(help="Its first user, who becomes administrator.")],
    user_email: Annotated[str, typer.Option(help="Where they are reached.")],
    certificate: Annotated[
        Path | None, typer.Option(help="The first user's employee certificate, PEM or DER. Needed in production.")
    ] = None,
    out: OutOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Apply for an organisation: in the test environment it is confirmed at once, in production by the operator.

    With --out, in the test environment, the first user gets a key and an employee certificate in that folder.

    Examples:

    `knudepunkt org apply supplier 12345678 "Fiktive ApS" --email info@fiktive.example
    --user-name "Nina Ny" --user-email nina@fiktive.example --out nina`

    `knudepunkt org apply municipality 11111111 "Korsbæk Kommune" ... --certificate employee.pem`
    """
    import msgspec

    from api.rest.admin.shown import OrganisationView, UserView
    from control import Application, Onboarding, OrganisationKind
    from control.certificates.requests import read_request
    from runtime.administration import open_desk
    from runtime.cli.console import console, print_json
    from runtime.keymaking import KeyFiles, answered

    if certificate is not None and out is not None:
        raise typer.BadParameter("give --certificate or --out, not both")
    with open_desk(instance) as desk:

        def applied(proof: bytes | None) -> bytes:
            done = Onboarding(desk.store).apply(
                Application(
                    kind=OrganisationKind(kind), cvr=cvr, name=name, email=email, user_name=user_name,
                    user_email=user_email, certificate=proof,
                ),
                trust=desk.trust(),
            )  # fmt: skip
            told = {"organisation": OrganisationView.of(done.organisation), "user": UserView.of(done.user)}
            if as_json:
                print_json(msgspec.to_builtins(told))
            else:
                state = done.organisation.state.value
                console().print(f"{name} (CVR {cvr}) is {state}; {user_name} is its administrator.", markup=False)
            return proof or b""

        if out is None:
            applied(None if certificate is None else content_of(certificate))
            return
        desk.ensure_test()
        authority = desk.authority()

        def ask(request: bytes) -> bytes:
            return applied(authority.answer_employee(read_request(request), cvr, name, user_name))

        answered(KeyFiles(out), user_name, ask, authority.ca_pem, renew=False)
        console(stderr=True).print(f"Key and certificate lie in {out}.", markup=False)


@app.command()
@on_errand
def code(
    errand: Errand,
    municipality: OrganisationArgument,
    code: Annotated[str, typer.Argument(help="Four digits, as the register of municipalities has it.")],
) -> None:
    """Record a municipality's code: what "its own rows" means in agreements. The operator does.

    Example: `knudepunkt org code 11111111 0851`
    """
    from api.rest.admin.shown import OrganisationView
    from control import Onboarding

    with errand.desk() as desk:
        done = Onboarding(desk.store).set_code(desk.organisation(municipality).id, code)
        errand.show(OrganisationView.of(done))


@app.command()
@on_errand
def change(
    errand: Errand,
    organisation: OrganisationArgument,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    email: Annotated[str | None, typer.Option(help="New e-mail address.")] = None,
) -> None:
    """Change an organisation's name or e-mail address.

    Example: `knudepunkt org change 12345678 --email ny@fiktive.example`
    """
    from api.rest.admin.shown import OrganisationView
    from control import Onboarding

    if name is None and email is None:
        raise typer.BadParameter("give --name or --email")
    with errand.desk() as desk:
        found = desk.organisation(organisation)
        done = Onboarding(desk.store).change(found.id, name=name, email=email)
        errand.show(OrganisationView.of(done), said="Changed.")


_STEPS = {
    "confirm": "Confirm an organisation that has applied: from now on it may act.",
    "reject": "Reject an application.",
    "suspend": "Suspend an organisation: within a second its systems and people may do nothing.",
    "resume": "Let a suspended organisation act again.",
}


def _add_step(step: str, says: str) -> None:
    def run(errand: Errand, organisation: OrganisationArgument, note: NoteOption = "") -> None:
        from api.rest.admin.shown import OrganisationView
        from control import Onboarding, OrganisationStep

        with errand.desk() as desk:
            found = desk.organisation(organisation)
            done = Onboarding(desk.store).step(found.id, OrganisationStep(step), note=note)
            errand.show(OrganisationView.of(done))

    run.__doc__ = f'{says}\n\n    Example: `knudepunkt org {step} 12345678 --note "Case 17"`\n    '
    app.command(step)(on_errand(run))


for _step, _says in _STEPS.items():
    _add_step(_step, _says)
