"""`knudepunkt testdata`: fictitious deliveries in the registers' own formats."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.console import console


def testdata(
    persons: Annotated[int, typer.Option(min=1, help="How many persons.")] = 400,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder; files go where the sources look.")] = Path(
        "instance/inbox"
    ),
) -> None:
    """Write fictitious test data of every register that is shipped: persons (a CPR status extract, layout A), roads,
    authorities, municipalities, companies, production units and a classification.

    Families, addresses, moves, protected, dead and emigrated persons, uncertain dates, and numbers with and without
    a valid check digit. Nobody in it exists.

    Examples:

    `knudepunkt testdata --persons 400 --seed 1 --out ./testdata`

    `knudepunkt testdata --persons 100000`
    """
    from sync import write_testdata

    with console(stderr=True).status(f"Writing {persons:,} fictitious persons ..."):
        files = write_testdata(out, persons, seed)
    for file in files:
        console().print(f"{file}  {file.stat().st_size:,} bytes")
