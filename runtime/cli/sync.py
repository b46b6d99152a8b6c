"""`knudepunkt sync`: bring the mirror up to its sources now."""

from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, print_reports
from runtime.cli.progress import run_progress


def sync(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources to run. Default: all.")] = None,
    instance: InstanceOption = DEFAULT_INSTANCE,
    accept: Annotated[
        bool, typer.Option("--accept", help="Publish although a guard trips: you have looked, and it is right.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Load what the sources have that is new, and publish it. The worker does the same by schedule.

    A delivery that was loaded before is recognised by its content. Lines that break a rule are held back and
    counted; a delivery that is not whole is refused, and nothing of it is published. Exit code 1 when a delivery
    was refused.

    Examples:

    `cp d011109.l110901 instance/inbox/cpr/ && knudepunkt sync cpr-persons`

    `knudepunkt sync municipalities --accept`

    `knudepunkt sync --json`
    """
    from replica import Lake
    from runtime.clock import CLOCK
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.mirroring import Mirroring
    from runtime.politeness import standing_back

    found = Instance.find(instance)
    settings = settings_of(found)
    mirroring = Mirroring.of(found, settings, CLOCK)
    chosen = mirroring.named(sources or [])
    with (
        standing_back(idle=settings.worker.idle_time),
        Lake.open(found.lake, settings.replica, write=True) as lake,
        run_progress() as tell,
    ):
        reports = [mirroring.run(source, lake, tell, accept=accept) for source in chosen]
    print_reports(reports, as_json=as_json)
