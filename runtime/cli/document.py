"""`knudepunkt agreement document`: an agreement as signed files."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.desk import Errand, on_errand


@on_errand
def document(
    errand: Errand,
    agreement: Annotated[str, typer.Argument(help="Id of the agreement, or the beginning of it.")],
    out: Annotated[Path, typer.Option(help="Folder for the files; made when it is not there.")],
) -> None:
    """Write an agreement as signed documents: what is enforced (JSON), and as people read it, in Danish and English.

    Example: `knudepunkt agreement document 0190b0f4 --out aftale`
    """
    from control import Agreements
    from runtime.administration import one_of
    from runtime.documents import documents_of, write_document

    with errand.desk() as desk:
        found = [each for each in Agreements(desk.store, None).all() if each.id.startswith(agreement.lower())]
        chosen = one_of(found, lambda each: each.id, "agreement", "agreement list")
        made = documents_of(desk.instance, desk.store).of(chosen.id)
    write_document(made, out)
    told = {"agreement": made.agreement, "hash": made.hash, "folder": str(out), "files": sorted(made.files)}
    errand.show(told, said="Written.")
