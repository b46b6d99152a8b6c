"""`knudepunkt down`: stop an instance that runs in the background."""

import os
import signal
import time
from typing import TYPE_CHECKING

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, console

if TYPE_CHECKING:
    from runtime.instance import Instance


def down(instance: InstanceOption = DEFAULT_INSTANCE) -> None:
    """Stop the platform that runs for this instance; running answers and streams are finished first.

    Example: `knudepunkt down`
    """
    from runtime.instance import Instance

    stopped = stop_parent(Instance.find(instance))
    console().print("Stopped." if stopped else "Nothing runs for this instance.")


def stop_parent(instance: "Instance") -> bool:
    """Stop the parent that runs an instance and wait until it has ended; False when none runs."""
    from runtime.processes import running_parent

    pid = running_parent(instance)
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    with console(stderr=True).status("Finishing running answers and streams ..."):
        while running_parent(instance) is not None:
            time.sleep(0.1)
    return True
