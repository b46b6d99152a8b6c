"""`knudepunkt user`: the people of an organisation, their roles and certificates."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.console import console
from runtime.cli.desk import Errand, OrganisationOption, OutOption, content_of, on_errand

if TYPE_CHECKING:
    from control import Role

app = typer.Typer(help="Users: who acts for an organisation, in which roles.", no_args_is_help=True)
UserArgument = Annotated[str, typer.Argument(help="E-mail address or id.")]
RoleOption = Annotated[
    list[str], typer.Option("--role", help="administrator, user, data_controller or operator; more than once for more.")
]


@app.command("list")
@on_errand
def list_(errand: Errand, organisation: OrganisationOption = None) -> None:
    """List the users of an organisation, or of all of them.

    Examples:

    `knudepunkt user list`

    `knudepunkt user list --org 12345678 --json`
    """
    from api.rest.admin.shown import UserView

    with errand.desk() as desk:
        chosen = desk.organisations() if organisation is None else (desk.organisation(organisation),)
        found = [user for each in chosen for user in desk.users(each)]
    errand.show_all(map(UserView.of, found), ("email", "name", "roles", "ended", "id"), none="There are no users.")


@app.command("show")
@on_errand
def show_(errand: Errand, user: UserArgument) -> None:
    """Show a user, and the fingerprints of the certificates that speak for them.

    Example: `knudepunkt user show nina@fiktive.example`
    """
    import msgspec

    from api.rest.admin.shown import UserView
    from control import People

    with errand.desk() as desk:
        found = desk.user(user)
        bound = People(desk.store).certificates(found.id)
    errand.show(msgspec.to_builtins(UserView.of(found)) | {"certificates": list(bound)})


@app.command()
@on_errand
def add(
    errand: Errand,
    name: Annotated[str, typer.Argument(help="Their name.")],
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    role: RoleOption,
    organisation: OrganisationOption = None,
) -> None:
    """Register a user.

    Examples:

    `knudepunkt user add "Bo Berg" bo@fiktive.example --role user --org 12345678`

    `knudepunkt user add "Dina Dam" dina@korsbaek.example --role data_controller --role user --org 11111111`
    """
    from api.rest.admin.shown import UserView
    from control import People

    with errand.desk() as desk:
        owner = desk.organisation(organisation)
        done = People(desk.store).add(owner.id, name, email, _roles(role))
        errand.show(UserView.of(done), said="Registered.")


@app.command()
@on_errand
def roles(errand: Errand, user: UserArgument, role: RoleOption) -> None:
    """Give a user these roles, and no others.

    Example: `knudepunkt user roles bo@fiktive.example --role administrator --role user`
    """
    from api.rest.admin.shown import UserView
    from control import People

    with errand.desk() as desk:
        done = People(desk.store).change_roles(desk.user(user).id, _roles(role))
        errand.show(UserView.of(done), said="Changed.")


@app.command()
@on_errand
def end(errand: Errand, user: UserArgument) -> None:
    """From now on a user may do nothing. They are never removed, since histories name them.

    Example: `knudepunkt user end bo@fiktive.example`
    """
    from api.rest.admin.shown import UserView
    from control import People

    with errand.desk() as desk:
        errand.show(UserView.of(People(desk.store).end(desk.user(user).id)), said="Ended.")


@app.command()
@on_errand
def certificate(
    errand: Errand,
    user: UserArgument,
    file: Annotated[Path | None, typer.Argument(help="Their employee certificate, PEM or DER.")] = None,
    out: OutOption = None,
    renew: Annotated[bool, typer.Option("--renew", help="Replace a key that is there; the old one is kept.")] = False,
) -> None:
    """Let an employee's certificate speak for a user: the one in FILE, or in the test environment one made into --out.

    Examples:

    `knudepunkt user certificate bo@fiktive.example employee.pem`

    `knudepunkt user certificate bo@fiktive.example --out bo`
    """
    from api.rest.admin.shown import UserCertificateView
    from control import People
    from control.certificates.requests import read_request
    from runtime.keymaking import KeyFiles, answered

    if (file is None) == (out is None):
        raise typer.BadParameter("give FILE or --out")
    with errand.desk() as desk:
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
        errand.show(UserCertificateView(found.id, bound[0]), said="Bound.")


@app.command()
@on_errand
def revoke(
    errand: Errand,
    fingerprint: Annotated[str, typer.Argument(help="SHA-256 fingerprint in hex, as `user show` gives it.")],
) -> None:
    """A certificate speaks for its user no more.

    Example: `knudepunkt user revoke 5f1c...`
    """
    from control import People

    told = fingerprint.lower().replace(":", "")
    with errand.desk() as desk:
        People(desk.store).revoke_certificate(told)
    errand.show({"fingerprint": told}, said="Revoked.")


def _roles(names: list[str]) -> "list[Role]":
    from control import Role

    try:
        return [Role(name.replace("-", "_")) for name in names]
    except ValueError:
        raise typer.BadParameter(f"a role is one of {', '.join(Role)}", param_hint="--role") from None
