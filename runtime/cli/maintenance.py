"""`knudepunkt maintenance`: the mirror's upkeep, which the worker does every night too."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, print_json, print_table

if TYPE_CHECKING:
    from replica import Upkeep

app = typer.Typer(help="Upkeep of the mirror: history, small files, what crashes left.", no_args_is_help=True)


@app.callback()
def maintenances() -> None:
    """Upkeep of the mirror: history, small files, what crashes left."""


@app.command()
def run(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Forget snapshots and held-back lines whose time is over, merge small files, give the disk back.

    Waits for nobody: a snapshot that somebody reads stays, and files that are being read go next time. Readers and
    lookups go on; a sync has to wait until it is done.

    Example: `knudepunkt maintenance run`
    """
    _print(_upkeep(instance, dry_run=False), as_json=as_json)


@app.command()
def show(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Show what `maintenance run` would do now, and do nothing.

    What merging and expiry would free cannot be told before they are done.

    Example: `knudepunkt maintenance show`
    """
    _print(_upkeep(instance, dry_run=True), as_json=as_json)


def _upkeep(instance: Path, *, dry_run: bool) -> "Upkeep":
    from replica import Lake
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.politeness import standing_back

    found = Instance.find(instance)
    settings = settings_of(found)
    with standing_back(idle=settings.worker.idle_time), Lake.open(found.lake, settings.replica, write=True) as lake:
        return lake.maintain(settings.replica, dry_run=dry_run)


def _print(done: "Upkeep", *, as_json: bool) -> None:
    if as_json:
        print_json(done.as_dict())
    else:
        print_table("", ("what", "count"), [(name.replace("_", " "), count) for name, count in done.as_dict().items()])
