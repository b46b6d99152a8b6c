"""`knudepunkt extract`: fetch a dataset, or what has changed in it, over the wire, as a consumer system does."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, console, print_json, print_table

if TYPE_CHECKING:
    import httpx2

    from runtime.fetching import Fetched


def extract(
    service: Annotated[str, typer.Argument(help="An extract service, for instance cpr-persons-extract.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", dir_okay=False, help="File to write; - for standard output. Default: the file's own name."
        ),
    ] = None,
    file_format: Annotated[
        str, typer.Option("--format", "-f", help="csv, csv-dk, csv-dk-bom, ndjson, parquet, arrow, xml or cpr.")
    ] = "csv",
    compression: Annotated[str | None, typer.Option(help="gzip or zstd: of the file itself.")] = None,
    columns: Annotated[str | None, typer.Option(help="Columns to ask for, separated by commas.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Only what changed since: a cursor, or the manifest file of the last extract.")
    ] = None,
    otherwise_full: Annotated[
        bool, typer.Option("--otherwise-full", help="Take all of it when changes cannot be told.")
    ] = False,
    as_of: Annotated[
        str | None, typer.Option(help="As it was at this time, for instance 2026-11-01T12:00:00Z.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say what would be in it, and why; fetch nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest, or the plan, as JSON.")] = False,
    instance: InstanceOption = DEFAULT_INSTANCE,
    client: Annotated[str, typer.Option(help="Client profile that makes the call.")] = "demo",
    agreement: Annotated[str | None, typer.Option(help="Agreement to call under, when there are several.")] = None,
) -> None:
    """Fetch an extract over HTTPS, go on where a cut came, and check it against its manifest.

    The file appears under its name only when it is whole and its SHA-256 is the manifest's; the manifest is kept beside
    it. Run it again after it was stopped, and it goes on.

    Examples:

    `knudepunkt extract cpr-persons-extract --format parquet --out persons.parquet`

    `knudepunkt extract cpr-persons-extract --since persons.parquet.manifest.json --out changes.csv`

    `knudepunkt extract cpr-persons-extract --columns pnr,name --explain`

    `knudepunkt extract cpr-persons-extract --format cpr` (persons, as lines of the register's own layout)
    """
    from runtime.client import Profile, open_client
    from runtime.fetching import cursor_of
    from runtime.instance import Instance

    found = Instance.find(instance)
    given = {
        "format": file_format, "compression": compression, "columns": columns, "as_of": as_of,
        "since": None if since is None else cursor_of(since), "otherwise": "full" if otherwise_full else None,
    }  # fmt: skip
    query = {name: value for name, value in given.items() if value is not None}
    headers = {"Knudepunkt-Agreement": agreement} if agreement else {}
    with open_client(found, Profile.of(found, client)) as http:
        if explain:
            _explain(http, service, query, headers, as_json=as_json)
            return
        to_stdout = out is not None and str(out) == "-"
        fetched, target = _fetch(http, service, query, headers, None if to_stdout else out, to_stdout=to_stdout)
    if as_json and not to_stdout:
        print_json(fetched.told)
    elif not to_stdout:
        told = fetched.told
        console(stderr=True).print(
            f"{target}: {told['rows']:,} rows, {told['bytes']:,} bytes, {told['kind']}, snapshot {told['snapshot']}, "
            f"sha256 {told['sha256']}"
        )
        if since is not None and told["kind"] == "full":
            console(stderr=True).print("This is all of it: what has changed could not be told.")


def _fetch(
    http: "httpx2.Client",
    service: str,
    query: dict[str, str],
    headers: dict[str, str],
    out: Path | None,
    *,
    to_stdout: bool,
) -> tuple["Fetched", Path]:
    from rich.progress import DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn

    from runtime.fetching import Fetch, FileSink, PipeSink, Sink

    bar = Progress(
        SpinnerColumn(), TextColumn(service), DownloadColumn(), TransferSpeedColumn(),
        console=console(stderr=True), transient=True,
    )  # fmt: skip
    task = bar.add_task(service, total=None)
    part = Path()

    def sink(name: str) -> Sink:
        nonlocal part
        if to_stdout:
            return PipeSink(sys.stdout.buffer.write)
        folder = out.parent if out is not None else Path()
        # By the platform's own name, so that what was left of another file is never gone on with.
        part = folder / f".{name}.part"
        return FileSink(part)

    with bar:
        path = f"/v1/services/{service}/extract"
        tell = lambda at, size: bar.update(task, completed=at, total=size)  # noqa: E731
        fetched = Fetch(http, path, query, headers, tell=tell).run(sink)
    target = out or Path(fetched.name)
    if to_stdout:
        sys.stdout.buffer.flush()
    else:
        part.replace(target)
        target.with_name(f"{target.name}.manifest.json").write_bytes(fetched.manifest)
    return fetched, target


def _explain(
    http: "httpx2.Client", service: str, query: dict[str, str], headers: dict[str, str], *, as_json: bool
) -> None:
    from runtime.client import checked

    answer = http.get(f"/v1/services/{service}/extract/plan", params=query, headers=headers)
    plan: dict[str, Any] = checked(answer).json()
    if as_json:
        print_json(plan)
        return
    for line in plan["explanation"]:
        console().print(line)
    most, rows = "at most " if plan["kind"] == "delta" else "", plan["rows_estimated"]
    many = "not known beforehand" if rows is None else f"{most}{rows:,}"
    console().print(f"rows: {many}; {'ready' if plan['ready'] else 'not made yet'}")
    columns = [(name, "withheld from protected persons" if name in plan["withheld_from_protected"] else "")
               for name in plan["columns"]]  # fmt: skip
    left_out = [(name, f"left out: {why}") for name, why in plan["left_out"].items()]
    print_table(plan["file_name"], ("column", ""), [*columns, *left_out])
