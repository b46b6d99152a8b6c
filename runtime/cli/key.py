"""`knudepunkt key`: SSH keys by which SFTP knows systems."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.desk import Errand, content_of, on_errand

app = typer.Typer(help="SSH keys of systems, for SFTP.", no_args_is_help=True)
SystemArgument = Annotated[str, typer.Argument(help="System: name or id.")]


@app.command("list")
@on_errand
def list_(errand: Errand, system: SystemArgument) -> None:
    """List the SSH keys that a system has or had, the newest first.

    Example: `knudepunkt key list hjemmepleje`
    """
    from api.rest.admin.shown import SshKeyView
    from control import SshKeys

    with errand.desk() as desk:
        found = SshKeys(desk.store).of(desk.system(system).id)
    errand.show_all(
        map(SshKeyView.of, found), ("fingerprint", "bound", "revoked", "public_key"),
        none="The system has no SSH key.",
    )  # fmt: skip


@app.command()
@on_errand
def bind(
    errand: Errand,
    system: SystemArgument,
    file: Annotated[Path, typer.Argument(help="A public key, as ssh-keygen writes it (.pub).")],
) -> None:
    """Bind an SSH key to a system. A key works for exactly one.

    Example: `ssh-keygen -t ed25519 -N "" -f hjemmepleje && knudepunkt key bind hjemmepleje hjemmepleje.pub`
    """
    from api.rest.admin.shown import SshKeyView
    from control import SshKeys

    with errand.desk() as desk:
        line = content_of(file).decode("utf-8", "replace")
        errand.show(SshKeyView.of(SshKeys(desk.store).bind(desk.system(system).id, line)), said="Bound.")


@app.command()
@on_errand
def revoke(
    errand: Errand,
    system: SystemArgument,
    fingerprint: Annotated[str, typer.Argument(help="SHA-256 of the key blob in hex, or the beginning of it.")],
) -> None:
    """Refuse an SSH key within a second, for ever.

    Example: `knudepunkt key revoke hjemmepleje 5f1c09`
    """
    from api.rest.admin.shown import SshKeyView
    from control import SshKeys
    from runtime.administration import one_of

    with errand.desk() as desk:
        keys, owner = SshKeys(desk.store), desk.system(system).id
        wanted = fingerprint.lower()
        found = [each for each in keys.of(owner) if wanted and each.fingerprint.startswith(wanted)]
        chosen = one_of(found, lambda each: each.fingerprint, "SSH key", f"key list {system}").fingerprint
        keys.revoke(chosen)
        errand.show(
            SshKeyView.of(next(each for each in keys.of(owner) if each.fingerprint == chosen)),
            said="Revoked.",
        )  # fmt: skip
