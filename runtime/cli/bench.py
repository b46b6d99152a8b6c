"""`knudepunkt bench`: measure the promises. Benchmarks report and never gate."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.cli.console import console, print_table

app = typer.Typer(help="Measure what the platform promises (docs/BENCHMARKS.md).", no_args_is_help=True)

FileOption = Annotated[
    Path | None, typer.Option("--json", help="Also write the result to this file, as one JSON object.")
]


@app.command()
def lookup(
    rows: Annotated[int, typer.Option(min=1_000, help="Rows in the dataset.")] = 1_000_000,
    persons: Annotated[
        int | None, typer.Option(min=1_000, help="Whole persons beside them; as many as rows, a million at most.")
    ] = None,
    lookups: Annotated[int, typer.Option(min=100, help="Lookups to time for each figure.")] = 20_000,
    json_file: FileOption = None,
) -> None:
    """How fast is a key lookup in the process, beside DuckDB's index and SQLite in the same run?

    Example: `knudepunkt bench lookup --rows 1000000 --json lookup.json`
    """
    _run("lookup", f"Looking up in {rows:,} rows ...", json_file, rows, persons=persons, lookups=lookups)


@app.command()
def rest(
    persons: Annotated[int, typer.Option(min=100, help="Persons in the register.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each measured round.")] = 5.0,
    json_file: FileOption = None,
) -> None:
    """What does a REST lookup over mutual TLS cost, with every check and the ledger on?

    Example: `knudepunkt bench rest --json rest.json`
    """
    _run("rest", "Starting an instance ...", json_file, persons, seconds=seconds)


@app.command()
def soap(
    persons: Annotated[int, typer.Option(min=100, help="Persons in the register.")] = 20_000,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each measured round.")] = 5.0,
    json_file: FileOption = None,
) -> None:
    """What does a person cost over SOAP, beside the same person over REST in the same run?

    Example: `knudepunkt bench soap --json soap.json`
    """
    _run("soap", "Starting an instance ...", json_file, persons, seconds=seconds)


@app.command()
def mixed(
    rows: Annotated[int, typer.Option(min=10_000, help="Rows in the dataset.")] = 1_000_000,
    json_file: FileOption = None,
) -> None:
    """Does a merge of 100,000 rows disturb those who look up? Latency over REST, beside that in quiet.

    Example: `knudepunkt bench mixed --rows 9000000 --json mixed.json`
    """
    _run("mixed", "Starting an instance ...", json_file, rows)


@app.command()
def sync(
    rows: Annotated[int, typer.Option(min=100_000, help="Rows in the dataset.")] = 1_000_000,
    json_file: FileOption = None,
) -> None:
    """What does a first load cost beside plain DuckLake, and a change until it is seen in lookups?

    Example: `knudepunkt bench sync --rows 9000000 --json sync.json`
    """
    _run("sync", f"Making {rows:,} rows ...", json_file, rows)


@app.command()
def policy(
    agreements: Annotated[int, typer.Option(min=100, max=49_000, help="Agreements in force.")] = 10_000,
    calls: Annotated[int, typer.Option(min=1_000, help="Calls to decide about.")] = 200_000,
    json_file: FileOption = None,
) -> None:
    """What does it cost to decide about a call: certificate, agreement, and limits?

    Example: `knudepunkt bench policy --agreements 10000 --json policy.json`
    """
    _run("policy", f"Agreeing {agreements:,} times ...", json_file, agreements, calls=calls)


@app.command()
def sftp(
    megabytes: Annotated[int, typer.Option(min=8, help="Size of the file, megabytes.")] = 256,
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds of each kind.")] = 3,
    workers: Annotated[int, typer.Option(min=0, help="Our processes on the port; 0 for two per core.")] = 0,
    cipher: Annotated[str, typer.Option(help="Of both servers.")] = "aes128-gcm@openssh.com",
    json_file: FileOption = None,
) -> None:
    """How fast is our SFTP server beside OpenSSH's, with 1, 4 and 16 clients?

    Example: `knudepunkt bench sftp --megabytes 256 --json sftp.json`
    """
    _run("sftp", "Starting an instance ...", json_file, megabytes, rounds=rounds, workers=workers, cipher=cipher)


@app.command()
def circle(
    rows: Annotated[int, typer.Option(min=1_000, help="Persons in the register.")] = 1_000_000,
    numbers: Annotated[int, typer.Option(min=1_000, help="How many of them are followed by number.")] = 500_000,
    json_file: FileOption = None,
) -> None:
    """What does a circle of very many numbers cost to change, and to make its files of?

    Example: `knudepunkt bench circle --rows 1000000 --numbers 500000 --json circle.json`
    """
    _run("circle", f"Following {numbers:,} of {rows:,} ...", json_file, rows, numbers=numbers)


@app.command()
def extract(
    rows: Annotated[int, typer.Option(min=10_000, help="Rows in the dataset.")] = 1_000_000,
    json_file: FileOption = None,
) -> None:
    """How fast is a whole dataset over HTTPS, beside DuckDB's COPY and, when it is finished, beside nginx?

    Example: `knudepunkt bench extract --rows 9000000 --json extract.json`
    """
    _run("extract", "Starting an instance ...", json_file, rows)


@app.command()
def formats(
    rows: Annotated[int, typer.Option(min=1_000, help="Flat rows.")] = 1_000_000,
    persons: Annotated[int, typer.Option(min=100, help="Whole persons.")] = 50_000,
    json_file: FileOption = None,
) -> None:
    """What does each format of an extract cost to write, beside DuckDB's COPY where it has that format?

    Example: `knudepunkt bench formats --rows 1000000 --json formats.json`
    """
    _run("formats", "Making rows ...", json_file, rows, persons)


@app.command()
def slow_readers(
    rows: Annotated[int, typer.Option(min=10_000, help="Rows in the dataset.")] = 1_000_000,
    readers: Annotated[int, typer.Option(min=2, help="Readers at once.")] = 1_000,
    seconds: Annotated[float, typer.Option(min=5, help="How long they read.")] = 60.0,
    json_file: FileOption = None,
) -> None:
    """Do a thousand readers, held to 200 kb/s each, all keep it, and in how much memory?

    Example: `knudepunkt bench slow-readers --readers 1000 --json slow-readers.json`
    """
    _run("slow_readers", "Starting an instance ...", json_file, rows, readers=readers, seconds=seconds)


@app.command()
def push(
    megabytes: Annotated[int, typer.Option(min=8, help="Size of the file, megabytes.")] = 256,
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds of each kind.")] = 3,
    json_file: FileOption = None,
) -> None:
    """How fast do we push to an SFTP server, beside OpenSSH's own client?

    Example: `knudepunkt bench push --megabytes 256 --json push.json`
    """
    _run("push", "Starting a server ...", json_file, megabytes, rounds=rounds)


@app.command("pass-through")
def pass_through(
    calls: Annotated[int, typer.Option(min=50, help="Calls of each kind.")] = 5_000,
    json_file: FileOption = None,
) -> None:
    """What does a pass-through add to a direct call of the same source?

    Example: `knudepunkt bench pass-through --json pass-through.json`
    """
    _run("pass_through", "Starting an instance ...", json_file, calls)


@app.command()
def orchestration(
    calls: Annotated[int, typer.Option(min=10, help="Calls of each kind.")] = 500,
    json_file: FileOption = None,
) -> None:
    """How much longer than its slowest part does an orchestration of three services take?

    Example: `knudepunkt bench orchestration --json orchestration.json`
    """
    _run("orchestration", "Starting an instance ...", json_file, calls)


def _run(name: str, says: str, file: Path | None, *sizes: Any, **named: Any) -> None:
    """Measure, and report.

    says   what is shown before the benchmark says more itself
    """
    measure = _benchmark(name)
    with console(stderr=True).status(says) as status:
        result = measure(*sizes, **named, progress=status.update)
    _report(result, file)


def _benchmark(name: str) -> Any:
    # The benchmarks lie beside the rooms in the source tree; processes that they start must find them too.
    tree = str(Path(__file__).parents[2])
    sys.path.insert(0, tree)
    os.environ["PYTHONPATH"] = tree
    try:
        module = __import__(f"benchmarks.{name}", fromlist=["measure"])
    except ImportError as error:
        raise typer.BadParameter(
            f"the benchmarks are part of the source tree and are not here ({error}); run from a clone"
        ) from None
    return module.measure


def _report(result: dict[str, Any], file: Path | None) -> None:
    targets = result["targets"]
    rows = []
    for name, value in result["figures"].items():
        target = targets.get(name)
        wanted = "" if target is None else ("<= " if "at_most" in target else ">= ")
        wanted += "" if target is None else f"{target.get('at_most', target.get('at_least')):g}"
        rows.append((name, float(value), wanted, None if target is None else ("met" if target["met"] else "missed")))
    print_table(
        f"bench {result['bench']}, {result['rows']:,} rows, {result['machine']}",
        ("figure", "measured", "target", ""),
        rows,
    )
    if file is not None:
        file.write_text(json.dumps(result, indent=2) + "\n")
