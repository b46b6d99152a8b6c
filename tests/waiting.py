"""Waiting for what comes by itself."""

import time
from collections.abc import Callable


def eventually(true: Callable[[], object], told: object = "it did not come to be", patience_s: float = 60.0) -> None:
    """Wait for an effect that is promised to come, soon: a busy machine is given far more time than it needs.

    told   what an AssertionError says when it does not come; a function is called then
    """
    deadline = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < deadline, told() if callable(told) else told
        time.sleep(0.01)
