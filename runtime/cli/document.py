"""`knudepunkt agreement document`: an agreement as signed files."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption
from runtime.cli.desk import AsOption, show


def document(
    agreement: Annotated[str, typer.Argument(help="Id of the agreement, or the beginning of it.")],
    out: Annotated[Path, typer.Option(help="Folder for the files; made when it is not there.")],
    acting: AsOption = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    as_json: JsonOption = False,
) -> None:
    """Write an agreement as signed documents: what is enforced (JSON), and as people read it, in Danish and English.

    Example: `knudepunkt agreement document 0190b0f4 --out aftale`
    """
    from control import Agreements
    from runtime.administration import one_of, open_desk
    from runtime.documents import documents_of, write_document

    with open_desk(instance, acting) as desk:
        found = [each for each in Agreements(desk.store, None).all() if each.id.startswith(agreement.lower())]
        chosen = one_of(found, lambda each: each.id, "agreement", "agreement list")
        made = documents_of(desk.instance, desk.store).of(chosen.id)
    write_document(made, out)
    told = {"agreement": made.agreement, "hash": made.hash, "folder": str(out), "files": sorted(made.files)}
    show(told, as_json=as_json, said="Written.")
