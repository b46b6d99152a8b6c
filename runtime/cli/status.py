"""`knudepunkt status`: how the instance is."""

from datetime import datetime

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, console, print_json, print_table


def status(instance: InstanceOption = DEFAULT_INSTANCE, as_json: JsonOption = False) -> None:
    """Show whether the platform runs, and for each dataset its rows, snapshot, age, last run, quarantine and next run.

    Examples:

    `knudepunkt status`

    `knudepunkt status --json`
    """
    from replica import DatasetNotReady, Lake
    from runtime.instance import Instance
    from runtime.mirroring import Mirroring, status_of
    from runtime.processes import Addresses
    from runtime.settings import load_settings
    from runtime.wiring import CLOCK

    found = Instance.find(instance)
    settings = load_settings(found.settings_file)
    mirroring = Mirroring.of(found, settings, CLOCK)
    try:
        with Lake.open(found.lake, settings.replica, write=False) as lake:
            datasets = status_of(mirroring, lake, CLOCK.now())
    except DatasetNotReady:
        datasets = status_of(mirroring, None, CLOCK.now())
    addresses = Addresses.of(found)
    if as_json:
        running = None if addresses is None else {"api": addresses.api, "sftp": addresses.sftp}
        rows = [
            {
                "dataset": each.dataset, "source": each.source, "rows": each.rows, "snapshot": each.snapshot,
                "as_of": each.as_of, "age_s": each.age_s, "target_s": each.target_s, "fresh": each.fresh,
                "last_run": each.last_run.finished if each.last_run else None,
                "quarantined_rows": each.quarantined_rows, "next_run": each.next_run,
            }
            for each in datasets
        ]  # fmt: skip
        print_json({"environment": settings.environment, "running": running, "datasets": rows})
        return
    where = "not running" if addresses is None else f"https port {addresses.api[1]}, sftp port {addresses.sftp[1]}"
    console().print(f"{found.root} ({settings.environment}): {where}", markup=False)
    print_table(
        "",
        ("dataset", "rows", "snapshot", "as of", "age", "fresh", "last run", "held back", "next run"),
        [
            (
                each.dataset, each.rows, each.snapshot, _minute(each.as_of),
                age(each.age_s), each.fresh,
                _minute(each.last_run.finished if each.last_run else None),
                each.quarantined_rows, _minute(each.next_run),
            )
            for each in datasets
        ],
    )  # fmt: skip


def age(seconds: int | None) -> str:
    """An age as people say it: 45 s, 12 min, 7 h, 3 d."""
    if seconds is None:
        return ""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"


def _minute(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
