"""`knudepunkt user`: the people of an organisation, their roles and certificates."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console
from runtime.cli.desk import AsOption, OrganisationOption, OutOption, content_of, show, show_all

if TYPE_CHECKING:
    from control import Role

app = typer.Typer(help="Users: who acts for an organisation, in which roles.", no_args_is_help=True)
UserArgument = Annotated[str, typer.Argument(help="E-mail address or id.")]
RoleOption = Annotated[
    list[str], typer.Option("--role", help="administrator, user, data_controller or operator; more than once for more.")
]


@app.command("list")
def list_(
    organisation: OrganisationOption = None,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """List the users of an organisation, or of all of them.

    Examples:

    `knudepunkt user list`

    `knudepunkt user list --org 12345678 --json`
    """
    from api.rest.admin.shown import UserView
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        chosen = desk.organisations() if organisation is None else (desk.organisation(organisation),)
        found = [user for each in chosen for user in desk.users(each)]
    show_all(
        map(UserView.of, found), ("email", "name", "roles", "ended", "id"), as_json=as_json, none="There are no users."
    )


@app.command("show")
def show_(
    user: UserArgument,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Show a user, and the fingerprints of the certificates that speak for them.

    Example: `knudepunkt user show nina@fiktive.example`
    """
    import msgspec

    from api.rest.admin.shown import UserView
    from control import People
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        found = desk.user(user)
        bound = People(desk.store).certificates(found.id)
    show(msgspec.to_builtins(UserView.of(found)) | {"certificates": list(bound)}, as_json=as_json)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Their name.")],
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    role: RoleOption,
    organisation: OrganisationOption = None,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Register a user.

    Examples:

    `knudepunkt user add "Bo Berg" bo@fiktive.example --role user --org 12345678`

    `knudepunkt user add "Dina Dam" dina@korsbaek.example --role data_controller --role user --org 11111111`
    """
    from api.rest.admin.shown import UserView
    from control import People
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        owner = desk.organisation(organisation)
        done = People(desk.store).add(owner.id, name, email, _roles(role))
        show(UserView.of(done), as_json=as_json, said="Registered.")


@app.command()
def roles(
    user: UserArgument,
    role: RoleOption,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Give a user these roles, and no others.

    Example: `knudepunkt user roles bo@fiktive.example --role administrator --role user`
    """
    from api.rest.admin.shown import UserView
    from control import People
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        done = People(desk.store).change_roles(desk.user(user).id, _roles(role))
        show(UserView.of(done), as_json=as_json, said="Changed.")


@app.command()
def end(
    user: UserArgument,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """From now on a user may do nothing. They are never removed, since histories name them.

    Example: `knudepunkt user end bo@fiktive.example`
    """
    from api.rest.admin.shown import UserView
    from control import People
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        show(UserView.of(People(desk.store).end(desk.user(user).id)), as_json=as_json, said="Ended.")


@app.command()
def certificate(
    user: UserArgument,
    file: Annotated[Path | None, typer.Argument(help="Their employee certificate, PEM or DER.")] = None,
    out: OutOption = None,
    renew: Annotated[bool, typer.Option("--renew", help="Replace a key that is there; the old one is kept.")] = False,
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Let an employee's certificate speak for a user: the one in FILE, or in the test environment one made into --out.

    Examples:

    `knudepunkt user certificate bo@fiktive.example employee.pem`

    `knudepunkt user certificate bo@fiktive.example --out bo`
    """
    from api.rest.admin.shown import UserCertificateView
    from control import People
    from control.certificates.requests import read_request
    from runtime.administration import open_desk
    from runtime.keymaking import KeyFiles, answered

    if (file is None) == (out is None):
        raise typer.BadParameter("give FILE or --out")
    with open_desk(instance, acting) as desk:
        found, people, bound = desk.user(user), People(desk.store), []
        if file is not None:
            bound.append(people.bind_certificate(found.id, content_of(file), trust=desk.trust()))
        elif out is not None:
            desk.ensure_test()
            authority, owner = desk.authority(), desk.organisation(found.organisation)

            def ask(request: bytes) -> bytes:
                chain = authority.answer_employee(read_request(request), owner.cvr, owner.name, found.name)
                bound.append(people.bind_certificate(found.id, chain, trust=desk.trust()))
                return chain

            answered(KeyFiles(out), found.name, ask, authority.ca_pem, renew=renew)
            console(stderr=True).print(f"Key and certificate lie in {out}.", markup=False)
        show(UserCertificateView(found.id, bound[0]), as_json=as_json, said="Bound.")


@app.command()
def revoke(
    fingerprint: Annotated[str, typer.Argument(help="SHA-256 fingerprint in hex, as `user show` gives it.")],
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
) -> None:
    """A certificate speaks for its user no more.

    Example: `knudepunkt user revoke 5f1c...`
    """
    from control import People
    from runtime.administration import open_desk

    with open_desk(instance, acting) as desk:
        People(desk.store).revoke_certificate(fingerprint.lower().replace(":", ""))
    console().print("Revoked.")


def _roles(names: list[str]) -> "list[Role]":
    from control import Role

    try:
        return [Role(name.replace("-", "_")) for name in names]
    except ValueError:
        raise typer.BadParameter(f"a role is one of {', '.join(Role)}", param_hint="--role") from None
