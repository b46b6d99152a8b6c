"""`knudepunkt metrics`: the page that Prometheus reads, of an instance on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, JsonOption, print_json


def metrics(
    instance: InstanceOption = DEFAULT_INSTANCE,
    out: Annotated[
        Path | None, typer.Option(help="Write it to this file at once, for node_exporter's textfile collector.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print what an operator's Prometheus reads under /metrics, also when the platform does not run.

    Examples:

    `knudepunkt metrics`

    `knudepunkt metrics --out /var/lib/prometheus/node-exporter/knudepunkt.prom`

    `knudepunkt metrics --json`
    """
    from runtime.environment import settings_of
    from runtime.files import write_whole
    from runtime.instance import Instance
    from runtime.logs import configure_logs
    from runtime.watching import standalone_page

    configure_logs(role="cli", level="warning")
    found = Instance.find(instance)
    with standalone_page(found, settings_of(found)) as page:
        if as_json:
            print_json(page.values())
            return
        _, text = page.write()
    if out is None:
        print(text.decode(), end="")
        return
    try:
        # Whole or not there, since the collector may look at any moment; it reads as another user.
        write_whole(out, text, 0o644)
    except OSError as error:
        raise typer.BadParameter(f"{out} cannot be written: {error.strerror}") from None
