"""`knudepunkt copy`: prove that a copy is what it should be, and mend what is not."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json

if TYPE_CHECKING:
    from runtime.copying import Proof

app = typer.Typer(help="Prove that a copy of a dataset is whole and right, and mend it.", no_args_is_help=True)

ServiceArgument = Annotated[str, typer.Argument(help="The extract service that the copy comes from.")]
FileArgument = Annotated[
    Path,
    typer.Argument(
        help="The copy: NDJSON, CSV (the Danish forms too), Parquet or Arrow; as it is, or with gzip or zstd.",
        exists=True,
        dir_okay=False,
    ),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(help="Its columns, separated by commas; when left out, those in its head, or all that is covered."),
]
PartOption = Annotated[int, typer.Option(min=1, max=10_000, help="Rows that are compared, and fetched, together.")]
ClientOption = Annotated[str, typer.Option(help="Client profile that makes the calls.")]
AgreementOption = Annotated[str | None, typer.Option(help="Agreement to call under, when there are several.")]


@app.command()
def check(
    service: ServiceArgument,
    file: FileArgument,
    columns: ColumnsOption = None,
    part_rows: PartOption = 2_000,
    instance: InstanceOption = DEFAULT_INSTANCE,
    client: ClientOption = "demo",
    agreement: AgreementOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a copy with the platform's digests. Exit code 1 when it differs.

    It may be in any order; one that is sorted by key is read once.

    Example: `knudepunkt copy check cpr-persons-extract persons.ndjson`

    Example: `knudepunkt copy check cvr-companies-extract companies.csv.gz --part-rows 10000`
    """
    proof = _proof(service, file, columns, part_rows, instance, client, agreement, repair=False)
    _tell(proof, as_json=as_json)
    if not proof.right:
        if not as_json:
            console().print("`knudepunkt copy repair` fetches just those parts.", markup=False)
        raise typer.Exit(1)


@app.command()
def repair(
    service: ServiceArgument,
    file: FileArgument,
    columns: ColumnsOption = None,
    part_rows: PartOption = 2_000,
    instance: InstanceOption = DEFAULT_INSTANCE,
    client: ClientOption = "demo",
    agreement: AgreementOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the parts of a copy that differ, and only those. The old copy stays until the new one is whole, which is
    sorted by key and in the same form.

    Example: `knudepunkt copy repair cpr-persons-extract persons.parquet`
    """
    _tell(_proof(service, file, columns, part_rows, instance, client, agreement, repair=True), as_json=as_json)


def _proof(
    service: str, file: Path, columns: str | None, part_rows: int, instance: Path, client: str, agreement: str | None,
    *, repair: bool,
) -> "Proof":  # fmt: skip
    from runtime.client import Profile, open_client
    from runtime.copying import Copy
    from runtime.instance import Instance

    found = Instance.find(instance)
    chosen = None if columns is None else [name.strip() for name in columns.split(",")]
    headers = {"Knudepunkt-Agreement": agreement} if agreement else {}
    with (
        open_client(found, Profile.of(found, client)) as http,
        console(stderr=True).status(f"Comparing {file.name}") as status,
    ):

        def tell(proof: "Proof") -> None:
            status.update(f"Comparing {file.name}: {proof.parts:,} parts, {proof.differing:,} differ")

        return Copy(http, service, chosen, headers, tell).check(file, repair=repair, part_rows=part_rows)


def _tell(proof: "Proof", *, as_json: bool) -> None:
    if as_json:
        import dataclasses

        print_json(dataclasses.asdict(proof) | {"right": proof.right})
        return
    state = "as it should be" if proof.right else f"{proof.differing:,} of {proof.parts:,} parts differ"
    mended = f"; {proof.fetched:,} rows fetched anew, now it is as it should be" if proof.fetched else ""
    console().print(f"{proof.rows:,} rows at snapshot {proof.snapshot}: {state}{mended}", markup=False)
    if proof.cursor is not None and (proof.right or proof.fetched):
        console().print(f"go on from there with --since {proof.cursor}", markup=False)
