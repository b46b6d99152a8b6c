"""`knudepunkt down`: stop an instance that runs in the background."""

import os
import signal
import time

from runtime.cli.console import DEFAULT_INSTANCE, InstanceOption, console


def down(instance: InstanceOption = DEFAULT_INSTANCE) -> None:
    """Stop the platform that runs for this instance; running answers and streams are finished first.

    Example: `knudepunkt down`
    """
    from runtime.instance import Instance
    from runtime.processes import running_parent

    found = Instance.find(instance)
    pid = running_parent(found)
    if pid is None:
        console().print("Nothing runs for this instance.")
        return
    os.kill(pid, signal.SIGTERM)
    with console().status("Finishing running answers and streams ..."):
        while running_parent(found) is not None:
            time.sleep(0.1)
    console().print("Stopped.")
