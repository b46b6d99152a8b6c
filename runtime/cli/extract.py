"""`knudepunkt extract`: fetch a whole dataset over the wire, as a consumer system does."""

import hashlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, console


def extract(
    service: Annotated[str, typer.Argument(help="An extract service, for instance cpr-persons-extract.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="File to write; - for standard output. Default: the file's own name."),
    ] = None,
    file_format: Annotated[str, typer.Option("--format", "-f", help="csv, ndjson, parquet or arrow.")] = "csv",
    columns: Annotated[str | None, typer.Option(help="Columns to ask for, separated by commas.")] = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    client: Annotated[str, typer.Option(help="Client profile that makes the call.")] = "demo",
    agreement: Annotated[str | None, typer.Option(help="Agreement to call under, when there are several.")] = None,
) -> None:
    """Fetch an extract over HTTPS and check it against its manifest.

    The file appears under its name only when it is whole and its SHA-256 is the manifest's.

    Examples:

    `knudepunkt extract cpr-persons-extract --format parquet --out persons.parquet`

    `knudepunkt extract municipalities-extract -o - | head`
    """
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

    from runtime.client import ExtractDamaged, Profile, checked, file_name_of, manifest_path_of, open_client
    from runtime.instance import Instance

    found = Instance.find(instance)
    query = {"format": file_format} | ({"columns": columns} if columns else {})
    headers = {"Knudepunkt-Agreement": agreement} if agreement else {}
    bar = Progress(
        SpinnerColumn(), TextColumn(service), DownloadColumn(), TransferSpeedColumn(),
        console=console(stderr=True), transient=True,
    )  # fmt: skip
    with open_client(found, Profile.of(found, client)) as http, bar:
        with http.stream(
            "GET", f"/v1/services/{service}/extract", params=query, headers=headers, timeout=None
        ) as answer:
            checked(answer)
            to_stdout = out is not None and str(out) == "-"
            target = out or Path(file_name_of(answer))
            part = target.with_name(f".{target.name}.part")
            size = answer.headers.get("content-length")
            task = bar.add_task(service, total=int(size) if size else None)
            digest = hashlib.sha256()
            with sys.stdout.buffer if to_stdout else part.open("wb") as file:
                for piece in answer.iter_bytes():
                    file.write(piece)
                    digest.update(piece)
                    bar.advance(task, len(piece))
        manifest = checked(http.get(manifest_path_of(answer), headers=headers)).json()
    if digest.hexdigest() != manifest["sha256"]:
        part.unlink(missing_ok=True)
        raise ExtractDamaged(
            "the bytes received are not those of the manifest", remedy="fetch it again; nothing was kept"
        )
    if not to_stdout:
        part.replace(target)
        console(stderr=True).print(
            f"{target}: {manifest['rows']:,} rows, {manifest['bytes']:,} bytes, "
            f"snapshot {manifest['snapshot']}, sha256 {manifest['sha256']}"
        )
