"""`knudepunkt org`: organisations, their applications and their standing."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption
from runtime.cli.desk import AsOption, NoteOption, OutOption, content_of, show, show_all

app = typer.Typer(help="Organisations: suppliers, municipalities, operators.", no_args_is_help=True)
OrganisationArgument = Annotated[str, typer.Argument(help="CVR number, name or id.")]
Kind = Literal["supplier", "municipality"]


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="Only those in this state, for instance applied.")] = None,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """List organisations.

    Examples:

    `knudepunkt org list`

    `knudepunkt org list --state applied --json`
    """
    from api.rest.admin.shown import OrganisationView
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        found = [each for each in desk.organisations() if state in {None, each.state}]
    show_all(
        map(OrganisationView.of, found), ("cvr", "kind", "state", "name", "email"), as_json=as_json,
        none="There is no such organisation.",
    )  # fmt: skip


@app.command("show")
def show_(
    organisation: OrganisationArgument,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Show one organisation.

    Example: `knudepunkt org show 12345678`
    """
    from api.rest.admin.shown import OrganisationView
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        show(OrganisationView.of(desk.organisation(organisation)), as_json=as_json)


@app.command()
def add(
    kind: Annotated[Literal["supplier", "municipality", "operator"], typer.Argument(help="What it is.")],
    cvr: Annotated[str, typer.Argument(help="CVR number.")],
    name: Annotated[str, typer.Argument(help="Name.")],
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Register an organisation without an application, as the operator. It is confirmed at once, and has no users.

    Example: `knudepunkt org add operator 87654321 "Korsbæk Drift"`
    """
    from api.rest.admin.shown import OrganisationView
    from control import OrganisationKind
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        done = desk.store.add_organisation(OrganisationKind(kind), cvr, name)
        show(OrganisationView.of(done), as_json=as_json, said="Registered.")


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
def code(
    municipality: OrganisationArgument,
    code: Annotated[str, typer.Argument(help="Four digits, as the register of municipalities has it.")],
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Record a municipality's code: what "its own rows" means in agreements. The operator does.

    Example: `knudepunkt org code 11111111 0851`
    """
    from api.rest.admin.shown import OrganisationView
    from control import Onboarding
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        done = Onboarding(desk.store).set_code(desk.organisation(municipality).id, code)
        show(OrganisationView.of(done), as_json=as_json)


@app.command()
def change(
    organisation: OrganisationArgument,
    name: Annotated[str | None, typer.Option(help="New name.")] = None,
    email: Annotated[str | None, typer.Option(help="New e-mail address.")] = None,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Change an organisation's name or e-mail address.

    Example: `knudepunkt org change 12345678 --email ny@fiktive.example`
    """
    from api.rest.admin.shown import OrganisationView
    from control import Onboarding
    from runtime.administration import open_desk

    if name is None and email is None:
        raise typer.BadParameter("give --name or --email")
    with open_desk(instance, acting) as desk:
        found = desk.organisation(organisation)
        done = Onboarding(desk.store).change(found.id, name=name, email=email)
        show(OrganisationView.of(done), as_json=as_json, said="Changed.")


def _step(step: str, organisation: str, note: str, acting: str | None, instance: Path, *, as_json: bool) -> None:
    from api.rest.admin.shown import OrganisationView
    from control import Onboarding, OrganisationStep
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        found = desk.organisation(organisation)
        done = Onboarding(desk.store).step(found.id, OrganisationStep(step), note=note)
        show(OrganisationView.of(done), as_json=as_json)


@app.command()
def confirm(
    organisation: OrganisationArgument,
    note: NoteOption = "",
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Confirm an organisation that has applied: from now on it may act.

    Example: `knudepunkt org confirm 12345678`
    """
    _step("confirm", organisation, note, acting, instance, as_json=as_json)


@app.command()
def reject(
    organisation: OrganisationArgument,
    note: NoteOption = "",
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Reject an application.

    Example: `knudepunkt org reject 12345678 --note "The CVR number is another company's."`
    """
    _step("reject", organisation, note, acting, instance, as_json=as_json)


@app.command()
def suspend(
    organisation: OrganisationArgument,
    note: NoteOption = "",
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Suspend an organisation: within a second its systems and people may do nothing.

    Example: `knudepunkt org suspend 12345678 --note "A key was stolen."`
    """
    _step("suspend", organisation, note, acting, instance, as_json=as_json)


@app.command()
def resume(
    organisation: OrganisationArgument,
    note: NoteOption = "",
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Let a suspended organisation act again.

    Example: `knudepunkt org resume 12345678`
    """
    _step("resume", organisation, note, acting, instance, as_json=as_json)
