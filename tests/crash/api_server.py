"""The API server of an instance, as a program that can be told to die in the middle of its work on extracts.

python -m tests.crash.api_server INSTANCE SOCKET STEP

SOCKET is a listening socket that is inherited, as `knudepunkt up` hands it on. With a STEP above 0 the process kills
itself (SIGKILL) right before that step: the so-manyth time that it opens a file for writing, renames, links, removes or
dates one below the folder of extracts. It says on standard output which step that was.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

from runtime.environment import settings_of
from runtime.instance import Instance
from runtime.logs import configure_logs
from runtime.roles.api import run_api

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_STEPS = {"open", "os.rename", "os.link", "os.remove", "os.utime"}


def die_at(step: int, below: Path) -> None:
    """Python tells of each step on a file before it takes it (PEP 578)."""
    left = step

    def hook(event: str, given: tuple[Any, ...]) -> None:
        nonlocal left
        if event not in _STEPS or not str(given[0]).startswith(str(below)):
            return
        if event == "open" and not (given[2] or 0) & _WRITES:
            return
        left -= 1
        if left == 0:
            *_, kind = Path(str(given[0])).name.split(".")
            os.write(1, f"{event.removeprefix('os.')} of a {kind}".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def main(root: Path, handle: int, step: int) -> None:
    instance = Instance.find(root)
    settings = settings_of(instance)
    configure_logs(role="api", level=settings.logs.level)
    if step:
        die_at(step, instance.extracts)
    run_api(instance, settings, handle)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
