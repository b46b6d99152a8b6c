"""`knudepunkt up`: run all roles under one parent."""

import subprocess
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, console

if TYPE_CHECKING:
    from runtime.instance import Instance


def up(
    instance: InstanceOption = DEFAULT_INSTANCE,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background.")] = False,
) -> None:
    """Run the platform: API workers, SFTP server and worker, until Ctrl-C or `knudepunkt down`.

    Stopping finishes running answers and streams. A role that dies is started again.

    Examples:

    `knudepunkt up`

    `knudepunkt up --detach`, later `knudepunkt down`
    """
    from runtime.instance import Instance
    from runtime.processes import running_parent

    found = Instance.find(instance)
    if running_parent(found) is not None:
        raise typer.BadParameter("this instance runs already; `knudepunkt down` stops it")
    if detach:
        start_detached(found)
        return
    from runtime.environment import settings_of
    from runtime.logs import configure_logs
    from runtime.parent import run_parent

    settings = settings_of(found)
    configure_logs(role="up", level=settings.logs.level)
    run_parent(found, settings)


def start_detached(instance: "Instance") -> None:
    """Start a parent in the background and wait until the platform answers."""
    from runtime.client import NotReady, wait_until_answering
    from runtime.processes import Addresses

    log = instance.logs / "knudepunkt.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "runtime.cli", "up", "--instance", str(instance.root)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, cwd="/",
        )  # fmt: skip
    began = time.monotonic()
    with console(stderr=True).status("Starting ..."):
        try:
            waiting = wait_until_answering(instance, process)
        except NotReady:
            process.terminate()
            raise
    addresses = Addresses.of(instance)
    if addresses is not None:
        console().print(
            f"Running: {addresses}, answering after {time.monotonic() - began:.1f} s. "
            f"https://localhost:{addresses.api[1]}  Logs: {log}"
        )
    if waiting:
        console().print(
            f"Not ready yet: {', '.join(waiting)} (nothing is registered or delivered there; see `knudepunkt status`)"
        )
