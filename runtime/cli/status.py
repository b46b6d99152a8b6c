"""`knudepunkt status`: how the instance is."""

from dataclasses import asdict
from datetime import datetime

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json, print_table


def status(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Show whether the platform runs, and for each dataset its rows, snapshot, age, last run, quarantine and next run.

    Below the table stands what is wrong: a source that was refused or not reached, a delivery that did not come.

    Examples:

    `knudepunkt status`

    `knudepunkt status --json`
    """
    from runtime.clock import CLOCK
    from runtime.environment import settings_of
    from runtime.instance import Instance
    from runtime.processes import Addresses
    from runtime.status import Watched, status_now

    found = Instance.find(instance)
    settings = settings_of(found)
    datasets = status_now(Watched.of(found, settings, CLOCK))
    addresses = Addresses.of(found)
    if as_json:
        running = None if addresses is None else asdict(addresses)
        told = [each.as_dict() for each in datasets]
        print_json({"environment": settings.environment, "running": running, "datasets": told})
        return
    where = "not running" if addresses is None else addresses
    console().print(f"{found.root} ({settings.environment}): {where}", markup=False)
    now = CLOCK.now()
    print_table(
        "",
        ("dataset", "rows", "snapshot", "age", "fresh", "last run", "held back", "next run"),
        [
            (
                each.dataset, each.rows, each.snapshot, age(each.age_s), each.fresh,
                _since(each.last_run.finished if each.last_run else None, now),
                each.quarantined_rows, _until(each.next_run, now),
            )
            for each in datasets
        ],
    )  # fmt: skip
    for each in datasets:
        if each.trouble:
            console().print(f"{each.source}: {each.trouble}", markup=False, style="bold red")
        if each.missing_since is not None:
            late = f"{each.source}: a delivery was expected by {_minute(each.missing_since)} UTC and has not come"
            console().print(late, markup=False, style="bold red")


def age(seconds: int | None) -> str:
    """An age as people say it: 45 s, 12 min, 7 h, 3 d."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def _since(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else f"{age(max(0, int((now - moment).total_seconds())))} ago"


def _until(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return ""
    return "now" if moment <= now else f"in {age(int((moment - now).total_seconds()))}"


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
