"""A child that is a copy of this process, and shares its memory until one of the two writes there.

For a parent that has begun no thread and holds neither lock nor open database: none of them survives in a copy.
"""

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn

import structlog

from kernel import PlatformError

_LOOK_S: Final = 0.02
_TOLD: Final = {signal.SIGTERM, signal.SIGINT}

_log = structlog.get_logger(__name__)


def settle_memory() -> None:
    """Before the first copy: let the collector never again touch what is there now, or each copy would soon have pages
    of its own for it.
    """
    gc.collect()
    gc.freeze()


class Forked:
    """A running child that does `work` and ends; to be held like a `subprocess.Popen`."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.returncode: int | None = None
        # Or what waits to be written would be written twice.
        sys.stdout.flush()
        sys.stderr.flush()
        # Told to stop in between, the child would run the handler of its parent, and go on.
        signal.pthread_sigmask(signal.SIG_BLOCK, _TOLD)
        try:
            self.pid = os.fork()
            if self.pid == 0:
                _live(work)
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD)

    def poll(self) -> int | None:
        """How it ended, as `subprocess` says it; None while it runs."""
        if self.returncode is None:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and timeout is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
            time.sleep(_LOOK_S)
        return code

    def send_signal(self, number: int) -> None:
        # One that was waited for has given its number back.
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _live(work: Callable[[], None]) -> NoReturn:
    """Never goes back into what the parent was doing."""
    code = 1
    try:
        for number in _TOLD:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _TOLD)
        work()
        code = 0
    except PlatformError as error:
        _log.error("child_refused", code=error.code, reason=error.message, remedy=error.remedy)
    except BaseException as error:
        _log.exception("child_failed", error=type(error).__name__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
