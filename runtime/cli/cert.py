"""`knudepunkt cert`: certificates of systems: made, bound, renewed, revoked."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.console import console, print_json
from runtime.cli.desk import Errand, OutOption, content_of, on_errand

app = typer.Typer(
    help="Certificates of systems. Two may live at a time, so that a renewal breaks nothing.", no_args_is_help=True
)
SystemArgument = Annotated[str, typer.Argument(help="System: name or id.")]
_COLUMNS = ("fingerprint", "valid_from", "valid_to", "revoked", "subject")


@app.command("list")
@on_errand
def list_(errand: Errand, system: SystemArgument) -> None:
    """List the certificates that a system has or had, the newest first.

    Example: `knudepunkt cert list hjemmepleje`
    """
    from api.rest.admin.shown import CertificateView
    from control import Credentials

    with errand.desk() as desk:
        found = Credentials(desk.store).of(desk.system(system).id)
    errand.show_all(map(CertificateView.of, found), _COLUMNS, none="The system has no certificate.")


@app.command()
@on_errand
def request(
    errand: Errand,
    system: SystemArgument,
    out: OutOption = None,
    renew: Annotated[
        bool, typer.Option("--renew", help="Replace a key that is there; the old files are kept.")
    ] = False,
    only_files: Annotated[
        bool, typer.Option("--only-files", help="Make key and signing request, and ask nobody: no instance is needed.")
    ] = False,
) -> None:
    """Make a key and a signing request here, and have the test authority answer it (test environment).

    Written are key.pem (mode 0600), request.pem, certificate.pem and authority.pem, below the instance's `clients/`
    unless --out names another folder; `knudepunkt lookup --client NAME` calls with them. The key goes nowhere.

    With --only-files the request is yours to send: in production to the issuer of your OCES certificates, in the test
    environment to POST /v1/admin/systems/{system}/certificates.

    Examples:

    `knudepunkt cert request hjemmepleje`

    `knudepunkt cert request hjemmepleje --renew`

    `knudepunkt cert request hjemmepleje --only-files --out keys`
    """
    from runtime.keymaking import KeyFiles, make_request

    if only_files:
        if renew:
            raise typer.BadParameter("with --only-files name a new folder with --out instead of --renew")
        files = KeyFiles(out or _below(Path(), system))
        make_request(files, system)
        _print_files(
            files.as_dict(), as_json=errand.as_json, said=f"Send {files.request} to whoever issues the certificate."
        )
        return
    from control import Credentials
    from runtime.keymaking import answered

    with errand.desk() as desk:
        desk.ensure_test()
        found, authority = desk.system(system), desk.authority()
        files, trust = KeyFiles(out or _below(desk.instance.clients, found.name)), desk.trust()
        credentials = Credentials(desk.store)

        def ask(content: bytes) -> bytes:
            return credentials.request(found.id, content, authority=authority, trust=trust).chain_pem

        answered(files, found.name, ask, authority.ca_pem, renew=renew)
        (newest, *_) = credentials.of(found.id)
    told = {"fingerprint": newest.fingerprint, "valid_to": newest.valid_to.isoformat()} | files.as_dict()
    _print_files(told, as_json=errand.as_json, said=f"The system {found.name} has a new certificate.")


@app.command()
@on_errand
def upload(
    errand: Errand,
    system: SystemArgument,
    file: Annotated[Path, typer.Argument(help="The certificate, PEM or DER.")],
) -> None:
    """Bind a certificate to a system: an OCES organisation or system certificate of the organisation that owns it.

    To renew, upload the new one while the old one still works, move over, and revoke the old one.

    Example: `knudepunkt cert upload hjemmepleje certificate.pem`
    """
    from api.rest.admin.shown import CertificateView
    from control import Credentials

    with errand.desk() as desk:
        done = Credentials(desk.store).bind(desk.system(system).id, content_of(file), trust=desk.trust())
        errand.show(CertificateView.of(done), said="Bound.")


@app.command()
@on_errand
def revoke(
    errand: Errand,
    fingerprint: Annotated[str, typer.Argument(help="SHA-256 fingerprint in hex, or the beginning of one.")],
) -> None:
    """Refuse a certificate within a second, on open connections too, for ever.

    Example: `knudepunkt cert revoke 5f1c09`
    """
    from api.rest.admin.shown import CertificateView
    from control import Credentials

    with errand.desk() as desk:
        credentials, found = Credentials(desk.store), desk.certificate(fingerprint)
        credentials.revoke(found.fingerprint)
        errand.show(CertificateView.of(credentials.find(found.fingerprint)), said="Revoked.")


@app.command()
@on_errand
def expiring(
    errand: Errand,
    days: Annotated[int, typer.Option(help="Within this many days.", min=1)] = 60,
) -> None:
    """List certificates that end soon and have not been renewed.

    Example: `knudepunkt cert expiring --days 30`
    """
    from api.rest.admin.shown import CertificateView
    from control import Credentials

    with errand.desk() as desk:
        seen = {each.id for each in desk.systems()}
        before = desk.store.clock.now() + timedelta(days=days)
        found = [each for each in Credentials(desk.store).expiring(before) if each.system in seen]
    errand.show_all(map(CertificateView.of, found), ("fingerprint", "valid_to", "subject"), none="None does.")


def _below(folder: Path, name: str) -> Path:
    """A folder of that name. A system may be called `../elsewhere`, and a folder may not."""
    if Path(name).name != name or name.startswith("."):
        raise typer.BadParameter("the system's name is none for a folder", param_hint="--out")
    return folder / name


def _print_files(told: dict[str, str], *, as_json: bool, said: str) -> None:
    if as_json:
        print_json(told)
        return
    console().print(said, markup=False)
    for name, value in told.items():
        console().print(f"  {name}: {value}", markup=False)
